import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { INotebookTracker, NotebookActions } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { DOMAIN } from '../ids';
import { Refills } from '../refill/refills';
import { IRefill, IRemoteGPU } from '../tokens';

/** Notebooks that complete themselves from what the pods have said. */
export const refill: JupyterFrontEndPlugin<IRefill> = {
  id: 'jupyter-remote-gpu:refill',
  description: 'Fills cells with the output that came while nobody looked.',
  autoStart: true,
  requires: [IRemoteGPU, INotebookTracker],
  optional: [ITranslator],
  provides: IRefill,
  activate: (
    _: JupyterFrontEnd,
    model: IRemoteGPU,
    tracker: INotebookTracker,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const refills = new Refills(model, tracker, trans);
    NotebookActions.executionScheduled.connect((_, { notebook, cell }) =>
      refills.scheduled(notebook, cell.model)
    );
    NotebookActions.outputCleared.connect((_, { notebook, cell }) =>
      refills.cleared(notebook, cell.model)
    );
    return refills;
  }
};
