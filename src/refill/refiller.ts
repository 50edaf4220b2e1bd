import type { ICodeCellModel } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';

import { RequestError } from '../request';
import { Retry } from '../retry';
import type { IRemoteGPU, Link } from '../tokens';
import { isAway } from '../tokens';
import { Acting } from './acting';
import { Deeds } from './deeds';
import { Document } from './document';
import { Filler } from './filler';
import { Listing } from './listing';
import { Offers } from './offers';
import { Sharing } from './sharing';

/** Fills the cells of one notebook with what the server knows better than the document. */
export class Refiller implements IDisposable {
  constructor(private readonly options: Refiller.IOptions) {
    const { panel, model, views, open } = options;
    this._document = new Document(panel, views, () => void this.check());
    this._listing = new Listing(panel, model, open);
    this._sharing = new Sharing(panel, () => this._decide());
    const mayFill = ({ id }: ICodeCellModel) =>
      this._sharing.isOurs && !this._sharing.isServed(id);
    this._filler = new Filler(this._document, { ...options, mayFill }, () =>
      this._decide()
    );
    this.offers = new Offers(panel, model, () => options.onOffers?.());
    this._acting = new Acting({
      panel,
      model,
      document: this._document,
      deeds: new Deeds(this._document),
      listing: this._listing,
      sharing: this._sharing,
      filler: this._filler,
      offers: this.offers
    });
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
    this._listing.giveUp();
    this._filler.dispose();
    this._acting.dispose();
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
        this.offers.look();
        const replied = this._document.futures.news;
        await this._listing.fetch(cells);
        this._document.futures.known(replied);
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

  /** The user runs the cell from here. */
  scheduled(cell: ICodeCellModel): void {
    this._acting.scheduled(cell);
  }

  /** The user has cleared the cell. */
  cleared(cell: ICodeCellModel): void {
    this._acting.cleared(cell);
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
    this._acting.decide();
  }

  private readonly _document: Document;
  private readonly _listing: Listing;
  private readonly _sharing: Sharing;
  private readonly _filler: Filler;
  private readonly _acting: Acting;
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
