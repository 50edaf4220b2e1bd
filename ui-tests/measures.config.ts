import base from './playwright.config';

/** `make bench-panel`: what the front end costs the page. It prints, and asserts no speed. */
export default {
  ...base,
  testDir: 'measures',
  testMatch: 'panel.spec.ts',
  timeout: 600_000
};
