import type { ICodeCellModel } from '@jupyterlab/cells';

import type { IExecution } from '../types';
import type { Document } from './document';
import { showsOf } from './writer';

/** Clocks of one machine and of a page may be so many seconds apart unnoticed. */
const SKEW = 3;

/** What the user did to cells from this page, of which the server knows later or never. */
export class Deeds {
  constructor(private readonly cells: Document) {}

  /** The cell is run, at that time in seconds. */
  ran(cell: ICodeCellModel, at: number): void {
    this._runs.set(cell, { at, before: this.cells.requests(cell) });
  }

  cleared(cell: ICodeCellModel): void {
    this._cleared.set(cell, this.cells.requests(cell));
  }

  /** Whether the cell was cleared when that was delivered to it, or had been. */
  isCleared(cell: ICodeCellModel, { id, msgId }: IExecution): boolean {
    const shows = showsOf(cell);
    // Somebody who shares the document may have done it.
    return (
      (shows?.execution === id && shows.state === 'replaced') ||
      (msgId !== null && !!this._cleared.get(cell)?.includes(msgId))
    );
  }

  /** What became of a run that is newer than that execution; null: there is none. */
  newer(
    cell: ICodeCellModel,
    { msgId, requested }: IExecution
  ): 'unsent' | 'lost' | 'told' | null {
    const run = this._runs.get(cell);
    return run &&
      !this.cells.isRunBy(cell, msgId) &&
      (requested ?? 0) < run.at - SKEW
      ? this.cells.since(cell, run.before)
      : null;
  }

  /** When cells were run, and what they had been run by before. */
  private readonly _runs = new WeakMap<
    ICodeCellModel,
    { readonly at: number; readonly before: readonly string[] }
  >();
  /** The requests that cells had been run by when they were cleared. */
  private readonly _cleared = new WeakMap<ICodeCellModel, readonly string[]>();
}
