import base from './refill.config';

import { join } from 'node:path';

/** lab42, notebook or collab: `.venv-<front>` has it, and `fronts/<front>.spec.ts` is its suite. */
const front = process.env.JRG_FRONT!;
const python = join('..', `.venv-${front}`, 'bin', 'python');

/** What is promised of other front ends than the newest JupyterLab: the same demo, served by theirs. */
export default {
  ...base,
  testDir: 'fronts',
  projects: [{ name: front, testMatch: `${front}.spec.ts` }],
  webServer: {
    ...base.webServer,
    command: base.webServer.command.replace(/^python/, python)
  }
};
