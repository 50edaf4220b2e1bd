import base from './playwright.config';

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// The workers read this file again: they get the folder and the port of the first one.
const folder = (process.env.JRG_DEMO_FOLDER ??= mkdtempSync(
  join(tmpdir(), 'jrg-d')
));
const port = (process.env.JRG_DEMO_PORT ??= String(
  30000 + Math.floor(Math.random() * 10000)
));
const url = `http://127.0.0.1:${port}`;

/** Against `make demo` itself: a real pod on this machine, JupyterLab, its daemon. */
export default {
  ...base,
  testDir: 'refill',
  // Kernels start on both sides, and all of it may share two cores.
  timeout: 180_000,
  expect: { timeout: 30_000 },
  projects: [
    {
      name: 'short',
      testMatch: ['cells.spec.ts', 'refill.spec.ts', 'table.spec.ts'],
      grepInvert: /@long/
    },
    {
      name: 'long',
      testMatch: [
        'bars.spec.ts',
        'copies.spec.ts',
        'link.spec.ts',
        'odd.spec.ts',
        'restarts.spec.ts',
        'table.spec.ts'
      ]
    },
    // By `make bench-panel`: it prints, and asserts no speed.
    { name: 'measures', testDir: 'measures', testMatch: ['server.spec.ts'] }
  ],
  use: { ...base.use, baseURL: url },
  webServer: {
    command: `python serve_demo.py ${folder} ${port}`,
    url: `${url}/api`,
    timeout: 120_000,
    reuseExistingServer: false,
    gracefulShutdown: { signal: 'SIGTERM' as const, timeout: 60_000 }
  }
};
