import { CodeCell, isCodeCellModel } from '@jupyterlab/cells';
import type { ICodeCellModel } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';

import { Futures } from './futures';
import type { ICell } from './rule';
import { beganOf } from './rule';
import { showsOf } from './writer';

export interface IModelCell extends ICell {
  readonly model: ICodeCellModel;
}

/** The code cells of a notebook, and what shows them in this page. */
export class Document {
  /**
   * @param panels - All that show the notebook in this page.
   * @param onOver - A request of this page's for one of its cells is over.
   */
  constructor(
    private readonly panel: NotebookPanel,
    private readonly panels: () => readonly NotebookPanel[],
    onOver: () => void
  ) {
    this.futures = new Futures(onOver);
  }

  readonly futures: Futures;

  get cells(): IModelCell[] {
    const cells = this.panel.content.model?.cells ?? [];
    return [...cells].filter(isCodeCellModel).map(model => ({
      model,
      id: model.id,
      source: model.sharedModel.getSource(),
      shows: showsOf(model),
      began: beganOf(model.getMetadata('execution'))
    }));
  }

  has(cell: ICodeCellModel): boolean {
    return this.cells.some(({ model }) => model === cell);
  }

  views(cell: ICodeCellModel): CodeCell[] {
    return this.panels()
      .flatMap(panel => panel.content.widgets)
      .filter(
        (view): view is CodeCell =>
          view.model === cell && view instanceof CodeCell
      );
  }

  /** Whether this page still waits for something that it sent for the cell. */
  isLive(cell: ICodeCellModel): boolean {
    return this.views(cell).some(view => this.futures.isLive(view));
  }

  /** Give up waiting for what that request delivers to the cell: it never comes. */
  giveUp(cell: ICodeCellModel, request: string | null): void {
    for (const view of this.views(cell)) {
      if (this.futures.request(view) === request) {
        view.outputArea.future?.dispose();
      }
    }
  }

  /** Whether the cell was run last by that request, and from this page. */
  isRunBy(cell: ICodeCellModel, request: string | null): boolean {
    return this.views(cell).some(
      view => request !== null && this.futures.request(view) === request
    );
  }

  /** The requests that the cell was last run by from here. */
  requests(cell: ICodeCellModel): string[] {
    return this.views(cell).flatMap(view => this.futures.request(view) ?? []);
  }

  /** What became of what was sent for the cell since its requests were `before`. */
  since(
    cell: ICodeCellModel,
    before: readonly string[]
  ): 'unsent' | 'lost' | 'told' {
    const views = this.views(cell).filter(view => {
      const request = this.futures.request(view);
      return request !== null && !before.includes(request);
    });
    if (views.length === 0) {
      return 'unsent';
    }
    return views.every(view => this.futures.isLost(view)) ? 'lost' : 'told';
  }
}
