import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { isCodeCellModel } from '@jupyterlab/cells';
import type { Notebook, NotebookPanel } from '@jupyterlab/notebook';
import { INotebookTracker, NotebookActions } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { DOMAIN } from '../ids';
import { Refiller } from '../refill/refiller';
import { IRemoteGPU } from '../tokens';

/** Notebooks that complete themselves from what the pods have said. */
export const refill: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-remote-gpu:refill',
  description: 'Fills cells with the output that came while nobody looked.',
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
    // One for each document, not for each view of it.
    const refillers = new Map<NotebookPanel['context'], Refiller>();
    const views = (context: NotebookPanel['context']) =>
      tracker.filter(panel => panel.context === context && !panel.isDisposed);

    const serve = (panel: NotebookPanel) => {
      const { context } = panel;
      if (!refillers.has(context)) {
        refillers.set(
          context,
          new Refiller({ panel, model, trans, views: () => views(context) })
        );
        panel.disposed.connect(() => {
          refillers.get(context)?.dispose();
          refillers.delete(context);
          const other = views(context).find(each => each !== panel);
          if (other) {
            serve(other);
          }
        });
      }
    };
    tracker.widgetAdded.connect((_, panel) => serve(panel));

    const of = (notebook: Notebook) => {
      const panel = tracker.find(each => each.content === notebook);
      return panel && refillers.get(panel.context);
    };
    NotebookActions.executionScheduled.connect((_, { notebook, cell }) => {
      if (isCodeCellModel(cell.model)) {
        of(notebook)?.scheduled(cell.model);
      }
    });
    NotebookActions.outputCleared.connect((_, { notebook, cell }) => {
      if (isCodeCellModel(cell.model)) {
        of(notebook)?.cleared(cell.model);
      }
    });
  }
};
