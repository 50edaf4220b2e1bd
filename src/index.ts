import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { commands } from './plugins/commands';
import { manager } from './plugins/manager';
import { marks } from './plugins/marks';
import { notebook } from './plugins/notebook';
import { notices } from './plugins/notices';
import { panel } from './plugins/panel';
import { refill } from './plugins/refill';
import { status } from './plugins/status';

export { IRefill, IRemoteGPU } from './tokens';

/** What this extension brings to JupyterLab and Notebook. */
const plugins: JupyterFrontEndPlugin<unknown>[] = [
  manager,
  commands,
  panel,
  status,
  notebook,
  marks,
  refill,
  notices
];

export default plugins;
