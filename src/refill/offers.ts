import type { ICodeCellModel } from '@jupyterlab/cells';
import { isCodeCellModel } from '@jupyterlab/cells';
import type { INotebookModel, NotebookPanel } from '@jupyterlab/notebook';

import type { IRemoteGPU } from '../tokens';
import type { IOffer } from '../types';
import type { IModelCell } from './document';
import { folded } from './outputs';
import type { Decision } from './rule';
import { KEY } from './rule';
import { Widgets } from './widgets';
import { mergeWidgets, showsOf } from './writer';

/** So many dismissed executions are remembered in a notebook. */
const MOST = 200;

interface IPlacedOffer extends IOffer {
  /** The cell whose text was edited. */
  readonly cell: ICodeCellModel | null;
}

/** What pods have said for cells of one notebook that are gone, or not the same any more. */
export class Offers {
  /** @param onChanged - Others are offered now. */
  constructor(
    private readonly panel: NotebookPanel,
    private readonly model: IRemoteGPU,
    private readonly onChanged: () => void
  ) {}

  get list(): readonly IOffer[] {
    return this._list;
  }

  /** Take what is not filled into any cell, of what has ended and nobody has seen or dismissed. */
  update(decisions: readonly Decision<IModelCell>[]): void {
    const { model } = this.panel.content;
    if (!model) {
      return;
    }
    for (const cell of codeCells(model)) {
      const shows = showsOf(cell);
      if (shows && shows.state !== 'partial') {
        this._seen.add(shows.execution);
      }
    }
    const dismissed = new Set(dismissedIn(model));
    const list: IPlacedOffer[] = [];
    for (const made of decisions) {
      if (made.action === 'offer' && made.execution.state === 'ended') {
        const { execution, reason, cell } = made;
        if (!this._seen.has(execution.id)) {
          if (!dismissed.has(execution.id)) {
            list.push({
              execution,
              // In older formats cells get other ids each time that they are read.
              reason: model.nbformatMinor < 5 ? 'no-ids' : reason,
              cell: cell?.model ?? null
            });
          }
        } else if (reason === 'gone') {
          // Whoever deleted the cell has seen it all.
          this.dismiss(execution.id);
        }
      }
    }
    if (keyOf(list) !== keyOf(this._list)) {
      this._list = list;
      this.onChanged();
    }
  }

  /**
   * Put it into a cell of its own: below the one that was edited, else at the end.
   *
   * @returns Where the cell is.
   * @throws RequestError
   */
  async insert(execution: string): Promise<number | null> {
    const offer = this._list.find(each => each.execution.id === execution);
    const told = offer && (await this.model.outputs(execution, null));
    const { content } = this.panel;
    const { model } = content;
    if (!told || !model || this.panel.isDisposed || !this._has(execution)) {
      return null;
    }
    if (told.widgets) {
      await new Widgets(content.rendermime).restore(told.widgets);
      const both = mergeWidgets(model.getMetadata('widgets'), told.widgets);
      model.setMetadata('widgets', both);
    }
    const cells = codeCells(model);
    const edited = [...model.cells].findIndex(cell => cell === offer.cell);
    const at = edited < 0 ? model.cells.length : edited + 1;
    // The notebook stays as trusted as it was: one cell that is not makes all of it so.
    const trusted = cells.length > 0 && cells.every(cell => cell.trusted);
    model.sharedModel.insertCell(at, {
      cell_type: 'code',
      source: `%%gpu\n${told.code}`,
      metadata: {
        [KEY]: { execution, state: 'complete' },
        ...(trusted ? { trusted } : {})
      },
      outputs: folded(told.outputs),
      execution_count: told.count ?? told.execution.count
    });
    this._seen.add(execution);
    this._drop(execution);
    return at;
  }

  /** It is not offered again; the notebook remembers that. */
  dismiss(execution: string): void {
    const { model } = this.panel.content;
    const dismissed = model ? dismissedIn(model) : [];
    if (model && !dismissed.includes(execution)) {
      const kept: unknown = model.getMetadata(KEY);
      model.setMetadata(KEY, {
        ...(typeof kept === 'object' ? kept : {}),
        dismissed: [...dismissed, execution].slice(-MOST)
      });
    }
    this._drop(execution);
  }

  private _has(execution: string): boolean {
    return this._list.some(each => each.execution.id === execution);
  }

  private _drop(execution: string): void {
    if (this._has(execution)) {
      this._list = this._list.filter(each => each.execution.id !== execution);
      this.onChanged();
    }
  }

  private _list: readonly IPlacedOffer[] = [];
  /** Executions that a cell has shown to their end. */
  private readonly _seen = new Set<string>();
}

function codeCells(model: INotebookModel): ICodeCellModel[] {
  return [...model.cells].filter(isCodeCellModel);
}

function dismissedIn(model: INotebookModel): string[] {
  const { dismissed } = (model.getMetadata(KEY) ?? {}) as {
    dismissed?: unknown;
  };
  return Array.isArray(dismissed)
    ? dismissed.filter(each => typeof each === 'string')
    : [];
}

function keyOf(list: readonly IPlacedOffer[]): string {
  return list
    .map(({ execution, reason }) => `${execution.id} ${reason}`)
    .join();
}
