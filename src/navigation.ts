import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';

import { contentsPath, fileName } from './cells';
import { tell } from './dialogs';
import { cellOf, isOf, serverRoot } from './notebooks';
import type { IExecution } from './types';

/** Show the cell of an execution; its notebook is opened if need be. */
export async function goToCell(
  app: JupyterFrontEnd,
  tracker: INotebookTracker,
  execution: IExecution,
  trans: TranslationBundle
): Promise<void> {
  const panel = await notebookOf(app, tracker, execution);
  if (panel === 'elsewhere') {
    return;
  }
  if (panel === null) {
    tell(
      'info',
      execution.notebook === null
        ? trans.__('This was not run from a notebook.')
        : trans.__(
            '%1 does not lie in the folder of this server: %2',
            fileName(execution.notebook),
            execution.notebook
          ),
      trans,
      { autoClose: 8000 }
    );
    return;
  }
  app.shell.activateById(panel.id);
  await panel.context.ready;
  await panel.revealed;
  const notebook = panel.content;
  const cell = cellOf(execution, notebook);
  if (cell === null) {
    tell('info', trans.__('The cell is not in the notebook any more.'), trans, {
      autoClose: 8000
    });
    return;
  }
  notebook.activeCellIndex = notebook.widgets.indexOf(cell);
  await notebook.scrollToCell(cell);
  notebook.activate();
}

/** Null: no path leads to it from here. */
async function notebookOf(
  app: JupyterFrontEnd,
  tracker: INotebookTracker,
  execution: IExecution
): Promise<NotebookPanel | 'elsewhere' | null> {
  const opened = tracker.find(panel => isOf(execution, panel));
  if (opened) {
    return opened;
  }
  const path =
    execution.notebook && contentsPath(execution.notebook, serverRoot());
  if (!path) {
    return null;
  }
  await app.commands.execute('docmanager:open', { path });
  // In Notebook 7 it is another page, which shows by itself.
  return tracker.find(panel => panel.context.path === path) ?? 'elsewhere';
}
