import { PageConfig } from '@jupyterlab/coreutils';
import type { Cell } from '@jupyterlab/cells';
import type { Notebook, NotebookPanel } from '@jupyterlab/notebook';

import { body, sameNotebook } from './cells';
import type { IExecution } from './types';

/** The folder that the server's contents begin at. */
export function serverRoot(): string {
  return PageConfig.getOption('serverRoot');
}

/** Whether the execution is of that notebook: by its path, or by its kernel after a rename. */
export function isOf(execution: IExecution, panel: NotebookPanel): boolean {
  const kernel = panel.sessionContext.session?.kernel?.id;
  return (
    sameNotebook(execution.notebook, panel.context.path, serverRoot()) ||
    (kernel !== undefined && kernel === execution.localKernel)
  );
}

/** The cell of an execution; of two that share an id the one whose text ran. */
export function cellOf(execution: IExecution, notebook: Notebook): Cell | null {
  if (execution.cell === null) {
    return null;
  }
  const found = notebook.widgets.filter(
    cell => cell.model.id === execution.cell
  );
  return (
    found.find(
      cell => body(cell.model.sharedModel.getSource()) === execution.code
    ) ??
    found[0] ??
    null
  );
}
