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

/** So many dismissed executions, and cells that are gone, are remembered in a notebook. */
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

  /** Cells that the notebook had in this page, or before: by their ids. */
  get gone(): ReadonlySet<string> {
    const { model } = this.panel.content;
    const kept = model ? keptIn(model, 'gone') : [];
    return new Set([...this._had, ...kept]);
  }

  /** Remember which cells there are. */
  look(): void {
    const { model } = this.panel.content;
    if (model) {
      codeCells(model).forEach(({ id }) => this._had.add(id));
    }
  }

  /** Take what is not filled into any cell, of what has ended and nobody has seen or dismissed. */
  update(decisions: readonly Decision<IModelCell>[]): void {
    const { model } = this.panel.content;
    if (!model) {
      return;
    }
    this.look();
    const inCells = new Set<string>();
    for (const cell of codeCells(model)) {
      const shows = showsOf(cell);
      if (shows?.state === 'undone') {
        this._seen.delete(shows.execution);
      } else if (shows && shows.state !== 'partial') {
        inCells.add(shows.execution);
      }
    }
    // (A cell that was added with what another one took back shows that.)
    inCells.forEach(each => this._seen.add(each));
    const dismissed = new Set(keptIn(model, 'dismissed'));
    const list: IPlacedOffer[] = [];
    for (const made of decisions) {
      if (made.action !== 'offer') {
        continue;
      }
      const { execution, reason, cell } = made;
      const isSeen = this._seen.has(execution.id);
      if (reason === 'gone' && !isSeen && this._had.has(execution.cell ?? '')) {
        // By its path alone it could be of an older notebook.
        keep(model, 'gone', execution.cell ?? '');
      }
      if (execution.state !== 'ended') {
        continue;
      }
      if (!isSeen && !dismissed.has(execution.id)) {
        list.push({ execution, reason, cell: cell?.model ?? null });
      } else if (isSeen && reason === 'gone') {
        // Whoever deleted the cell has seen it all.
        this.dismiss(execution.id);
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
    const asked = offer?.execution.asked;
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
        [KEY]: { execution, state: 'complete', ...(asked ? { asked } : {}) },
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
    if (model) {
      keep(model, 'dismissed', execution);
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
  /** The ids of the cells that there were. */
  private readonly _had = new Set<string>();
}

function codeCells(model: INotebookModel): ICodeCellModel[] {
  return [...model.cells].filter(isCodeCellModel);
}

/** What the notebook remembers: executions that are dismissed, cells that are gone. */
function keptIn(model: INotebookModel, what: 'dismissed' | 'gone'): string[] {
  const value = (model.getMetadata(KEY) ?? {}) as Record<string, unknown>;
  const kept = value[what];
  return Array.isArray(kept)
    ? kept.filter(each => typeof each === 'string')
    : [];
}

function keep(
  model: INotebookModel,
  what: 'dismissed' | 'gone',
  id: string
): void {
  const known = keptIn(model, what);
  if (!known.includes(id)) {
    const kept: unknown = model.getMetadata(KEY);
    model.setMetadata(KEY, {
      ...(typeof kept === 'object' ? kept : {}),
      [what]: [...known, id].slice(-MOST)
    });
  }
}

function keyOf(list: readonly IPlacedOffer[]): string {
  return list
    .map(({ execution, reason }) => `${execution.id} ${reason}`)
    .join();
}
