import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

/** What this extension brings to JupyterLab and Notebook. */
const plugins: JupyterFrontEndPlugin<unknown>[] = [];

export default plugins;
