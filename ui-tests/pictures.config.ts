import base from './playwright.config';

/** `make pictures`: what the README shows, by the code that is built here. */
export default { ...base, testDir: 'pictures' };
