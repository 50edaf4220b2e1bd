import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs, DOMAIN } from '../ids';
import { IRemoteGPU } from '../tokens';
import { StatusItem } from '../widgets/status';

/** The pod in the status bar, where there is one. */
export const status: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-remote-gpu:status',
  description: 'The pod and what runs on it, in the status bar.',
  autoStart: true,
  requires: [IRemoteGPU],
  optional: [ITranslator, IStatusBar],
  activate: (
    app: JupyterFrontEnd,
    model: IRemoteGPU,
    translator: ITranslator | null,
    bar: IStatusBar | null
  ) => {
    if (!bar) {
      return;
    }
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const item = new StatusItem(model, trans, () => {
      void app.commands.execute(CommandIDs.openPanel);
    });
    bar.registerStatusItem('jupyter-remote-gpu:status', {
      item,
      align: 'left',
      rank: 90
    });
    void app.restored.then(() => {
      const watching = model.watch();
      item.disposed.connect(() => watching.dispose());
    });
  }
};
