import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import { JSONExt } from '@lumino/coreutils';

const FIELD = 'remote_gpu';

/** What is used of the awareness of a shared document (y-protocols). */
interface IAwareness {
  readonly clientID: number;
  getStates(): Map<number, Record<string, unknown>>;
  setLocalStateField(field: string, value: unknown): void;
  on(event: 'change', handler: () => void): void;
  off(event: 'change', handler: () => void): void;
}

/** The pages that share a document (jupyter-collaboration): only one of them writes. */
export class Sharing implements IDisposable {
  /** @param onChanged - Another page delivers to other cells, or is gone. */
  constructor(
    panel: NotebookPanel,
    private readonly onChanged: () => void
  ) {
    const { model } = panel.context;
    const { awareness } = model.sharedModel as unknown as {
      awareness?: IAwareness;
    };
    this._awareness = (model.collaborative && awareness) || null;
    this._awareness?.on('change', this._onChange);
  }

  isDisposed = false;

  dispose(): void {
    this.isDisposed = true;
    this._awareness?.off('change', this._onChange);
  }

  /** Whether it is for this page to fill: of those who share it the one with the lowest id. */
  get isOurs(): boolean {
    const own = this._awareness?.clientID ?? 0;
    // The server has a state too, and is nobody.
    return this._others().every(
      ([id, state]) => !('user' in state) || id > own
    );
  }

  /** Whether a request of another page still delivers to the cell. */
  isServed(cell: string): boolean {
    return this._others().some(([, { [FIELD]: cells }]) =>
      Array.isArray(cells) ? cells.includes(cell) : false
    );
  }

  /** Tell the others to which cells requests of this page deliver. */
  tell(cells: readonly string[]): void {
    if (this._awareness && !JSONExt.deepEqual([...cells], this._told)) {
      this._told = [...cells];
      this._awareness.setLocalStateField(FIELD, this._told);
    }
  }

  private _others(): [number, Record<string, unknown>][] {
    const own = this._awareness?.clientID;
    const states = this._awareness?.getStates() ?? [];
    return [...states].filter(([id]) => id !== own);
  }

  private readonly _onChange = (): void => {
    const served = this._others().flatMap(([id, state]) =>
      'user' in state ? [`${id} ${JSON.stringify(state[FIELD] ?? [])}`] : []
    );
    const key = served.sort().join();
    if (key !== this._known) {
      this._known = key;
      this.onChanged();
    }
  };

  private readonly _awareness: IAwareness | null;
  private _told: string[] = [];
  private _known = '';
}
