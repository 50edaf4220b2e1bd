import type { ICodeCellModel } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';

import type { IRemoteGPU } from '../tokens';
import type { IExecution } from '../types';
import type { Deeds } from './deeds';
import type { Document, IModelCell } from './document';
import type { Filler } from './filler';
import type { Listing } from './listing';
import type { Offers } from './offers';
import type { Decision } from './rule';
import { decide } from './rule';
import type { Sharing } from './sharing';
import { setShows, showsOf } from './writer';

/** Seconds after an end for which a request that does not reply, and delivers nothing, is waited for. */
const PATIENCE = 10;

/** Does with the cells of a notebook what the rule says, and what the page itself knows. */
export class Acting implements IDisposable {
  constructor(
    private readonly parts: {
      readonly panel: NotebookPanel;
      readonly model: IRemoteGPU;
      readonly document: Document;
      readonly deeds: Deeds;
      readonly listing: Listing;
      readonly sharing: Sharing;
      readonly filler: Filler;
      readonly offers: Offers;
    }
  ) {}

  isDisposed = false;

  dispose(): void {
    this.isDisposed = true;
    clearTimeout(this._timer);
  }

  /**
   * The user runs the cell from here: what it showed to its end is replaced. What has not ended
   * stays until something is known of the new run, which may be given up before it begins.
   */
  scheduled(cell: ICodeCellModel): void {
    const { filler, deeds, model } = this.parts;
    filler.release(cell);
    deeds.ran(cell, model.now());
    this._tell(cell);
    const shows = showsOf(cell);
    const last = this._last(cell);
    if (last) {
      const isOver =
        shows?.execution === last.execution && shows.state !== 'partial';
      setShows(cell, { ...last, state: isOver ? 'replaced' : 'partial' });
    }
  }

  /** The user has cleared the cell. */
  cleared(cell: ICodeCellModel): void {
    const { filler, deeds, document, model } = this.parts;
    deeds.cleared(cell, model.now());
    if (document.isLive(cell)) {
      // What comes from now on the page shows by itself; the document has to know.
      this.decide();
    } else {
      filler.release(cell);
      const last = this._last(cell);
      if (last) {
        setShows(cell, { ...last, state: 'replaced' });
      }
    }
  }

  /** Fill, offer and leave, by what is known now. */
  decide(): void {
    const { document, filler, listing, offers, panel } = this.parts;
    if (this.isDisposed || !listing.isKnown) {
      return;
    }
    this._tell();
    filler.tidy();
    const decisions = decide(document.cells, listing.executions, {
      times: listing.times,
      gone: offers.gone,
      saved: this._saved(),
      isWithoutIds: (panel.content.model?.nbformatMinor ?? 5) < 5
    });
    offers.update(decisions.flatMap(made => this._act(made) ?? []));
  }

  /** When the notebook was saved last, as this page has opened it. */
  private _saved(): number | undefined {
    const told = this.parts.panel.context.contentsModel?.last_modified;
    const at = Date.parse(told ?? '') / 1000;
    this._opened ??= Number.isNaN(at) ? undefined : at;
    return this._opened;
  }

  /** @returns What is left to be offered. */
  private _act(made: Decision<IModelCell>): Decision<IModelCell> | null {
    const { document, deeds, filler, sharing } = this.parts;
    const { action, cell, execution } = made;
    if (!cell || !execution) {
      return made;
    }
    const { model } = cell;
    const reply = document.futures.reply(execution.msgId);
    if (document.isLive(model)) {
      this._watch(model, execution);
      this._delivers(model, execution);
    } else if (document.futures.isNew(execution.msgId)) {
      // What the server said of it is older than its end here.
      filler.stop(model);
      return null;
    } else if (action === 'leave') {
      return null;
    } else if (deeds.isCleared(model, execution)) {
      filler.stop(model);
      this._mark(model, execution, 'replaced');
      return null;
    } else if (sharing.isServed(model.id)) {
      filler.stop(model);
    } else if (action === 'fill') {
      return this._fill(model, execution);
    } else if (reply && execution.state === 'ended' && made.reason === 'text') {
      // It was edited while its own request delivered: nothing can be held against it any more.
      this._mark(model, execution, 'complete');
      return null;
    }
    return action === 'offer' ? made : null;
  }

  /** Tell who shares the document what this page delivers; `next`: it is about to be sent. */
  private _tell(next: ICodeCellModel | null = null): void {
    const { document, sharing } = this.parts;
    const live = document.cells.filter(
      ({ model }) => model === next || document.isLive(model)
    );
    sharing.tell(live.map(({ id }) => id));
  }

  /** The page itself shows it: the document says so, should the page be closed before the end. */
  private _delivers(cell: ICodeCellModel, execution: IExecution): void {
    const { document, deeds, filler } = this.parts;
    filler.stop(cell);
    if (document.isRunBy(cell, execution.msgId)) {
      const isCleared = deeds.isCleared(cell, execution);
      this._mark(cell, execution, isCleared ? 'replaced' : 'partial');
    }
  }

  private _fill(
    cell: ICodeCellModel,
    execution: IExecution
  ): Decision<IModelCell> | null {
    const { document, deeds, filler, sharing } = this.parts;
    const newer = deeds.newer(cell, execution);
    const refusal = filler.refusal(cell, execution);
    if (!sharing.isOurs) {
      filler.handOver(cell);
    } else if (newer === 'told') {
      // It was run again, and that never came to a pod.
      this._mark(cell, execution, 'replaced');
    } else if (refusal) {
      const of = document.cells.find(({ model }) => model === cell) ?? null;
      return { action: 'offer', reason: refusal, cell: of, execution };
    } else if (newer !== 'unsent') {
      const reply = document.futures.reply(execution.msgId);
      filler.fill(cell, execution, reply);
    }
    return null;
  }

  /**
   * The page may wait in vain for what has ended: the reply was lost, and nothing has come for a
   * while. Then it waits no more, so that only one writes.
   */
  private _watch(cell: ICodeCellModel, execution: IExecution): void {
    const { document, model } = this.parts;
    const { id, state, msgId } = execution;
    if (state !== 'ended' || !document.isRunBy(cell, msgId)) {
      this._waits.delete(cell);
      return;
    }
    const now = model.now();
    const { outputs } = cell;
    const last = outputs.length > 0 ? outputs.get(outputs.length - 1) : null;
    const size = `${outputs.length} ${JSON.stringify(last?.toJSON())?.length}`;
    const wait = this._waits.get(cell);
    if (wait?.id !== id || wait.size !== size) {
      this._waits.set(cell, { id, size, since: now });
    } else if (now - wait.since >= PATIENCE) {
      document.giveUp(cell, msgId);
      return;
    }
    clearTimeout(this._timer);
    this._timer = setTimeout(() => this.decide(), PATIENCE * 1000);
  }

  private _mark(
    cell: ICodeCellModel,
    { id: execution, asked }: IExecution,
    state: 'complete' | 'partial' | 'replaced'
  ): void {
    setShows(cell, { execution, asked, state });
  }

  /** The newest that the cell ran, or what it shows. */
  private _last(
    cell: ICodeCellModel
  ): { execution: string; asked?: number | null } | null {
    const newest = this.parts.listing.newest(cell);
    const shows = showsOf(cell);
    return newest
      ? { execution: newest.id, asked: newest.asked }
      : shows && { execution: shows.execution, asked: shows.asked };
  }

  /** Since when, and with what, cells wait for replies of what has ended. */
  private readonly _waits = new WeakMap<
    ICodeCellModel,
    { readonly id: string; readonly size: string; readonly since: number }
  >();
  private _opened: number | undefined;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
