import type { ICodeCellModel } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';

import { RequestError } from '../request';
import { Retry } from '../retry';
import type { IRemoteGPU, Link } from '../tokens';
import { isAway } from '../tokens';
import type { IExecution } from '../types';
import { Deeds } from './deeds';
import { Document } from './document';
import { Filler } from './filler';
import { Listing } from './listing';
import { Offers } from './offers';
import { decide } from './rule';
import { Sharing } from './sharing';
import { setShows, showsOf } from './writer';

/** Fills the cells of one notebook with what the server knows better than the document. */
export class Refiller implements IDisposable {
  constructor(private readonly options: Refiller.IOptions) {
    const { panel, model, views, open } = options;
    this._document = new Document(panel, views, () => void this.check());
    this._deeds = new Deeds(this._document);
    this._listing = new Listing(panel, model, open);
    this._sharing = new Sharing(panel, () => this._decide());
    const mayFill = ({ id }: ICodeCellModel) =>
      this._sharing.isOurs && !this._sharing.isServed(id);
    this._filler = new Filler(this._document, { ...options, mayFill }, () =>
      this._decide()
    );
    this.offers = new Offers(panel, model, () => options.onOffers?.());
    this._link = model.link;
    model.changed.connect(this._onChanged, this);
    panel.context.pathChanged.connect(this._onChanged, this);
    panel.context.saveState.connect(this._onSave, this);
    panel.sessionContext.kernelChanged.connect(this._decide, this);
    panel.sessionContext.statusChanged.connect(this._onStatus, this);
    void panel.context.ready.then(() => {
      if (!this.isDisposed) {
        panel.content.model?.cells.changed.connect(this._onCells, this);
        void this.check();
      }
    });
  }

  /** What no cell can take. */
  readonly offers: Offers;

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._retry.pause();
    this._filler.dispose();
    this._sharing.dispose();
    Signal.clearData(this);
  }

  /** Ask what the notebook ran, and fill what is to be filled. It never rejects. */
  async check(): Promise<void> {
    // Requests of the page are given up after its notebook was closed.
    if (this._checking || this._isDisposed) {
      this._again = true;
      return;
    }
    this._checking = true;
    try {
      do {
        this._again = false;
        this._version = this._listing.version;
        const cells = this._document.cells.map(({ model }) => model);
        if (this._isDisposed || !this._listing.isWorthIt(cells)) {
          this._retry.done();
          return;
        }
        await this._listing.fetch(cells);
        this._retry.done();
        // Of a cell that ended meanwhile this answer still says that it runs.
        if (!this._again) {
          this._decide();
        }
      } while (this._again && !this._isDisposed);
    } catch (error) {
      if (!(error instanceof RequestError)) {
        throw error;
      }
      if (!this._isDisposed) {
        // With the link there is another try at once.
        this._missed = true;
        this._retry.again();
        if (isAway(error.fault)) {
          void this.options.model.refresh();
        }
      }
    } finally {
      this._checking = false;
    }
  }

  /**
   * The user runs the cell from here: what it showed to its end is replaced. What has not ended
   * stays until something is known of the new run, which may be given up before it begins.
   */
  scheduled(cell: ICodeCellModel): void {
    this._filler.release(cell);
    this._deeds.ran(cell, this.options.model.now());
    this._tell(cell);
    const shows = showsOf(cell);
    const execution = this._newest(cell) ?? shows?.execution;
    if (execution) {
      const isOver =
        shows?.execution === execution && shows.state !== 'partial';
      setShows(cell, { execution, state: isOver ? 'replaced' : 'partial' });
    }
  }

  /** The user has cleared the cell. */
  cleared(cell: ICodeCellModel): void {
    this._deeds.cleared(cell);
    if (this._document.isLive(cell)) {
      // What comes from now on the page shows by itself; the document has to know.
      this._decide();
    } else {
      this._filler.release(cell);
      const execution = this._newest(cell) ?? showsOf(cell)?.execution;
      if (execution) {
        setShows(cell, { execution, state: 'replaced' });
      }
    }
  }

  private _onChanged(): void {
    const { link } = this.options.model;
    const { content, context } = this.options.panel;
    if (!context.isReady || !content.model) {
      return;
    }
    const isBack = link === 'ok' && this._link !== 'ok';
    this._link = link;
    // It may be another server, or one that knows more.
    const isLost = isBack && this._filler.retry();
    const isMissed = link === 'ok' && this._missed;
    if (isLost || isMissed || this._version !== this._listing.version) {
      this._missed = link !== 'ok';
      void this.check();
    }
  }

  /** A kernel that restarts lets go of the cells that it served. */
  private _onStatus(_: unknown, status: string): void {
    if (/restarting|dead|terminating/.test(status)) {
      // The futures end with it, a moment later.
      void Promise.resolve().then(() => this._decide());
    }
  }

  /** One that was deleted leaves its output, one that comes back may be filled. */
  private _onCells(_: unknown, { type }: { readonly type: string }): void {
    if (type !== 'set' && !this._soon) {
      this._soon = true;
      // The change itself has to be over before the document is written to.
      void Promise.resolve().then(() => {
        this._soon = false;
        this._decide();
      });
    }
  }

  private _onSave(_: unknown, state: string): void {
    if (state === 'started') {
      this._filler.keepWidgets();
    }
  }

  private _decide(): void {
    if (this._isDisposed || !this._listing.isKnown) {
      return;
    }
    const { executions } = this._listing;
    const { isOurs } = this._sharing;
    this._tell();
    const decisions = decide(this._document.cells, executions);
    for (const { action, cell, execution } of decisions) {
      if (!cell || !execution) {
        continue;
      }
      const { model } = cell;
      const { id, msgId, state } = execution;
      if (this._document.isLive(model)) {
        this._delivers(model, execution);
      } else if (
        this._document.futures.take(msgId) &&
        state === 'ended' &&
        action !== 'leave'
      ) {
        setShows(model, { execution: id, state: 'complete' });
      } else if (this._sharing.isServed(model.id)) {
        this._filler.stop(model);
      } else if (action === 'fill' && isOurs) {
        this._fill(model, execution);
      } else if (action === 'fill') {
        this._filler.handOver(model);
      }
    }
    this.offers.update(decisions);
  }

  /** Tell who shares the document what this page delivers; `next`: it is about to be sent. */
  private _tell(next: ICodeCellModel | null = null): void {
    const live = this._document.cells.filter(
      ({ model }) => model === next || this._document.isLive(model)
    );
    this._sharing.tell(live.map(({ id }) => id));
  }

  /** The page itself shows it: the document says so, should the page be closed before the end. */
  private _delivers(cell: ICodeCellModel, execution: IExecution): void {
    this._filler.stop(cell);
    if (this._document.isRunBy(cell, execution.msgId)) {
      const { id } = execution;
      const state = this._deeds.isCleared(cell, execution)
        ? 'replaced'
        : 'partial';
      setShows(cell, { execution: id, state });
    }
  }

  private _fill(cell: ICodeCellModel, execution: IExecution): void {
    const newer = this._deeds.newer(cell, execution);
    if (newer === 'told' || this._deeds.isCleared(cell, execution)) {
      // It was run again, and that never came to a pod; or it was cleared before this was known.
      setShows(cell, { execution: execution.id, state: 'replaced' });
    } else if (newer !== 'unsent') {
      this._filler.fill(cell, execution);
    }
  }

  private _newest(cell: ICodeCellModel): string | undefined {
    return this._listing.executions
      .filter(each => each.cell === cell.id && !each.silent)
      .at(-1)?.id;
  }

  private readonly _document: Document;
  private readonly _deeds: Deeds;
  private readonly _listing: Listing;
  private readonly _sharing: Sharing;
  private readonly _filler: Filler;
  /** The link may be well, and only this question without an answer; else the model looks for it. */
  private readonly _retry = new Retry(() => {
    if (!isAway(this.options.model.link)) {
      void this.check();
    }
  });
  private _version = '';
  private _link: Link;
  private _checking = false;
  private _again = false;
  private _soon = false;
  private _missed = false;
  private _isDisposed = false;
}

export namespace Refiller {
  export interface IOptions {
    readonly panel: NotebookPanel;
    readonly model: IRemoteGPU;
    readonly trans: TranslationBundle;
    /** All that show the document in this page. */
    readonly views: () => readonly NotebookPanel[];
    /** The paths of all notebooks that are open in this page. */
    readonly open: () => readonly string[];
    /** Something else is offered. */
    readonly onOffers?: () => void;
  }
}
