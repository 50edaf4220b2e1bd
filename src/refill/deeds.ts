import type { ICodeCellModel } from '@jupyterlab/cells';

import type { IExecution } from '../types';
import type { Document } from './document';
import { showsOf } from './writer';

/** Clocks of one machine and of a page may be so many seconds apart unnoticed. */
const SKEW = 3;

/** When it was done to a cell, and the requests that had run it by then. */
interface IDeed {
  readonly at: number;
  readonly before: readonly string[];
}

/** What the user did to cells from this page, of which the server knows later or never. */
export class Deeds {
  constructor(private readonly cells: Document) {}

  /** The cell is run, at that time in seconds. */
  ran(cell: ICodeCellModel, at: number): void {
    this._runs.set(cell, { at, before: this.cells.requests(cell) });
  }

  /** The cell is cleared, at that time in seconds. */
  cleared(cell: ICodeCellModel, at: number): void {
    this._cleared.set(cell, { at, before: this.cells.requests(cell) });
  }

  /** Whether the cell was cleared when that was delivered to it, or had been. */
  isCleared(cell: ICodeCellModel, execution: IExecution): boolean {
    const { id, msgId, asked } = execution;
    const shows = showsOf(cell);
    const deed = this._cleared.get(cell);
    if (shows?.execution === id && shows.state === 'replaced') {
      return true; // Somebody who shares the document may have done it.
    }
    if (!deed || (msgId !== null && deed.before.includes(msgId))) {
      return !!deed;
    }
    // Of what ran before, nothing may have been known then.
    return (asked ?? 0) < deed.at && !this.cells.isRunBy(cell, msgId);
  }

  /** What became of a run that is newer than that execution; null: there is none. */
  newer(
    cell: ICodeCellModel,
    { msgId, asked }: IExecution
  ): 'unsent' | 'lost' | 'told' | null {
    const run = this._runs.get(cell);
    return run &&
      !this.cells.isRunBy(cell, msgId) &&
      (asked ?? 0) < run.at - SKEW
      ? this.cells.since(cell, run.before)
      : null;
  }

  private readonly _runs = new WeakMap<ICodeCellModel, IDeed>();
  private readonly _cleared = new WeakMap<ICodeCellModel, IDeed>();
}
