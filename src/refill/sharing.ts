import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import { JSONExt } from '@lumino/coreutils';
import type { Message } from '@lumino/messaging';
import { MessageLoop } from '@lumino/messaging';

import { isObject } from './writer';

const FIELD = 'remote_gpu';

/** What is used of the awareness of a shared document (y-protocols). */
interface IAwareness {
  readonly clientID: number;
  getStates(): Map<number, Record<string, unknown>>;
  setLocalStateField(field: string, value: unknown): void;
  on(event: 'change', handler: () => void): void;
  off(event: 'change', handler: () => void): void;
}

/** What a page tells those who share the document. */
interface ITold {
  /** The ids of the cells that its requests deliver to. */
  readonly cells: readonly string[];
  /** Whether somebody looks at the notebook there. */
  readonly visible: boolean;
}

/** The pages that share a document (jupyter-collaboration): only one of them writes. */
export class Sharing implements IDisposable {
  /** @param onChanged - Another page delivers to other cells, is gone, or another one is to fill. */
  constructor(
    private readonly panel: NotebookPanel,
    private readonly onChanged: () => void
  ) {
    const { model } = panel.context;
    const { awareness } = model.sharedModel as unknown as {
      awareness?: IAwareness;
    };
    this._awareness = (model.collaborative && awareness) || null;
    if (this._awareness) {
      this._awareness.on('change', this._onChange);
      document.addEventListener('visibilitychange', this._look);
      MessageLoop.installMessageHook(panel, this._onMessage);
      this._look();
    }
  }

  isDisposed = false;

  dispose(): void {
    this.isDisposed = true;
    this._awareness?.off('change', this._onChange);
    document.removeEventListener('visibilitychange', this._look);
    MessageLoop.removeMessageHook(this.panel, this._onMessage);
  }

  /**
   * Whether it is for this page to fill: of those that can, which say so, one at which somebody
   * looks, for it asks more often; of these the one with the lowest id.
   */
  get isOurs(): boolean {
    const own = this._awareness?.clientID ?? 0;
    const visible = this._told?.visible ?? true;
    return this._others().every(([id, told]) =>
      told.visible === visible ? id > own : visible
    );
  }

  /** Whether a request of another page still delivers to the cell. */
  isServed(cell: string): boolean {
    return this._others().some(([, { cells }]) => cells.includes(cell));
  }

  /** Tell the others to which cells requests of this page deliver. */
  tell(cells: readonly string[]): void {
    this._tell([...cells], this._told?.visible ?? true);
  }

  private _tell(cells: readonly string[], visible: boolean): void {
    const told = { cells, visible };
    if (this._awareness && !JSONExt.deepEqual(told, this._told as never)) {
      this._told = told;
      this._awareness.setLocalStateField(FIELD, told);
    }
  }

  /** The other pages that have our code: the server has a state too, and is nobody. */
  private _others(): [number, ITold][] {
    const own = this._awareness?.clientID;
    const states = [...(this._awareness?.getStates() ?? [])];
    return states.flatMap(([id, { [FIELD]: field }]) =>
      id !== own && isObject(field)
        ? [
            [
              id,
              {
                cells: Array.isArray(field.cells)
                  ? (field.cells as string[])
                  : [],
                visible: field.visible === true
              }
            ] as [number, ITold]
          ]
        : []
    );
  }

  private readonly _look = (): void => {
    if (this.isDisposed) {
      return;
    }
    const visible =
      document.visibilityState === 'visible' && this.panel.isVisible;
    this._tell(this._told?.cells ?? [], visible);
    this._onChange();
  };

  private readonly _onMessage = (_: unknown, { type }: Message): boolean => {
    if (/^after-(show|hide|attach)$/.test(type)) {
      // It is so when the panel has got the message.
      void Promise.resolve().then(this._look);
    }
    return true;
  };

  private readonly _onChange = (): void => {
    const others = this._others().sort(([a], [b]) => a - b);
    const isNew = others.some(([id]) => !this._met.has(id));
    this._met = new Set(others.map(([id]) => id));
    if (isNew) {
      // Who comes is told by nobody what the others said before: they say it again at 15 s only.
      this._awareness?.setLocalStateField(FIELD, this._told);
    }
    const key = JSON.stringify([this.isOurs, others]);
    if (key !== this._known) {
      const isFirst = this._known === '';
      this._known = key;
      if (!isFirst) {
        this.onChanged();
      }
    }
  };

  private readonly _awareness: IAwareness | null;
  private _told: ITold | null = null;
  private _met: ReadonlySet<number> = new Set();
  private _known = '';
}
