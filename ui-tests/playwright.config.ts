import { defineConfig } from '@playwright/test';
import { existsSync } from 'node:fs';

/** Where a Chromium of the system lies; JRG_CHROMIUM names another one. */
const BROWSERS = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium'
];

// The workers read this file again: they get the port of the first one.
const port = (process.env.JRG_UI_PORT ??= String(
  20000 + Math.floor(Math.random() * 10000)
));
const url = `http://127.0.0.1:${port}`;

export default defineConfig({
  testDir: 'tests',
  workers: 1,
  retries: 0,
  forbidOnly: Boolean(process.env.CI),
  timeout: 90_000,
  reporter: 'list',
  use: {
    baseURL: url,
    trace: 'retain-on-failure',
    video: 'off',
    launchOptions: {
      executablePath:
        process.env.JRG_CHROMIUM ?? BROWSERS.find(path => existsSync(path)),
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync'
      ]
    }
  },
  webServer: {
    command: `python serve.py ${port}`,
    url: `${url}/lab`,
    timeout: 120_000,
    reuseExistingServer: false,
    gracefulShutdown: { signal: 'SIGTERM', timeout: 30_000 }
  }
});
