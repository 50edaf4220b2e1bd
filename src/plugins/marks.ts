import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Clock } from '../clock';
import { DOMAIN } from '../ids';
import { Marks } from '../marks';
import { IRemoteGPU } from '../tokens';

/** Marks on the cells that run on a pod. */
export const marks: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-remote-gpu:marks',
  description: 'Marks cells that are queued or run on a pod.',
  autoStart: true,
  requires: [IRemoteGPU, INotebookTracker],
  optional: [ITranslator],
  activate: (
    _: JupyterFrontEnd,
    model: IRemoteGPU,
    tracker: INotebookTracker,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const clock = new Clock(() => model.now());
    clock.running = true;
    tracker.widgetAdded.connect((_, panel) => {
      new Marks(panel, model, clock, trans);
    });
  }
};
