import { PageConfig } from '@jupyterlab/coreutils';
import type { Cell } from '@jupyterlab/cells';
import type { Notebook, NotebookPanel } from '@jupyterlab/notebook';

import { body, sameNotebook } from './cells';
import type { IExecution } from './types';

/** The folder that the server's contents begin at. */
export function serverRoot(): string {
  return PageConfig.getOption('serverRoot');
}

/**
 * Whether the execution is of that notebook: by its path, or after a rename by its kernel and
 * cell. Another notebook may use the same kernel, and a copy has the same cells: a path that is
 * open, or has a session of its own (in Notebook 7 it is another page), was not renamed.
 *
 * @param open - The paths of the notebooks that are open in this page.
 */
export function isOf(
  execution: IExecution,
  panel: NotebookPanel,
  open: readonly string[] = []
): boolean {
  const { notebook, localKernel } = execution;
  const isAt = (path: string) => sameNotebook(notebook, path, serverRoot());
  if (isAt(panel.context.path)) {
    return true;
  }
  const { session, sessionManager } = panel.sessionContext;
  const kernel = session?.kernel?.id;
  if (kernel === undefined || kernel !== localKernel) {
    return false;
  }
  const others = [...sessionManager.running()].filter(
    ({ id }) => id !== session?.id
  );
  return (
    ![...open, ...others.map(({ path }) => path)].some(isAt) &&
    [...(panel.content.model?.cells ?? [])].some(
      ({ id }) => id === execution.cell
    )
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
