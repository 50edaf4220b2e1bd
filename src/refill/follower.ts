import type { ICodeCellModel } from '@jupyterlab/cells';

import { RequestError } from '../request';
import type { IRemoteGPU } from '../tokens';
import { isAway } from '../tokens';
import type { IExecution, IOutputs } from '../types';

/** Seconds between two questions: while somebody looks, and while nobody does. */
const SEEN = 1;
const UNSEEN = 10;
/** An answer is all that is shown: so many characters of one are worth a second, up to so many. */
const PER_SECOND = 1e6;
const MOST = 30;
const AFTER_ERRORS = [1, 2, 4, 8, 15];

/** Asks for what one execution says until it ends, and hands it on; `stop` it. */
export class Follower {
  constructor(
    readonly execution: IExecution,
    readonly cell: ICodeCellModel,
    private readonly options: {
      readonly model: IRemoteGPU;
      /** Whether somebody looks. */
      readonly isSeen: () => boolean;
      /** Show it; null: it is what was told last. To be followed on if it says so. */
      readonly show: (
        follower: Follower,
        outputs: IOutputs | null
      ) => Promise<boolean>;
      /** It is over: it has ended, may not be shown, or cannot be had. */
      readonly onOver: (follower: Follower, error: RequestError | null) => void;
    }
  ) {
    options.model.changed.connect(this._onChanged, this);
    document.addEventListener('visibilitychange', this._wake);
  }

  get isStopped(): boolean {
    return this._isStopped;
  }

  /** Until it is over; it never rejects. */
  async run(): Promise<void> {
    const { model, show, onOver, isSeen } = this.options;
    let etag: string | null = null;
    let errors = 0;
    let fatal: RequestError | null = null;
    while (!this._isStopped) {
      let outputs: IOutputs | null;
      try {
        outputs = await model.outputs(
          this.execution.id,
          etag,
          this._giving.signal
        );
        errors = 0;
      } catch (error) {
        if (error instanceof RequestError && isFinal(error)) {
          fatal = error;
          break;
        }
        const pause = AFTER_ERRORS[Math.min(errors, AFTER_ERRORS.length - 1)];
        errors += 1;
        this._troubled = true;
        if (errors === 1 && !this._isStopped) {
          // From now on the model looks for the server; what it finds wakes us.
          void model.refresh();
        }
        await this._pause(pause);
        while (isAway(model.link) && !this._isStopped) {
          // The model looks for the server, for all of us.
          await this._pause(null);
        }
        continue;
      }
      this._troubled = false;
      if (this._isStopped) {
        return;
      }
      etag = outputs?.etag ?? etag;
      if (!(await show(this, outputs))) {
        break;
      }
      const least = isSeen() ? SEEN : UNSEEN;
      if (!this._hurries) {
        await this._pause(Math.max(least, worth(outputs)));
      }
      this._hurries = false;
    }
    if (!this._isStopped) {
      this.stop();
      onOver(this, fatal);
    }
  }

  /** The execution has ended: ask once more at once. */
  hurry(): void {
    if (!this._isLast) {
      this._isLast = true;
      this._hurries = true;
      this._wake();
    }
  }

  /** Ask no more. */
  stop(): void {
    this._isStopped = true;
    this._giving.abort();
    this.options.model.changed.disconnect(this._onChanged, this);
    document.removeEventListener('visibilitychange', this._wake);
    this._wake();
  }

  private _onChanged(): void {
    if (this._troubled && this.options.model.link === 'ok') {
      this._wake();
    }
  }

  /** Null: until it is woken. */
  private _pause(seconds: number | null): Promise<void> {
    if (this._isStopped) {
      return Promise.resolve();
    }
    return new Promise(resolve => {
      const timer =
        seconds === null
          ? undefined
          : setTimeout(() => this._wake(), seconds * 1000);
      this._wakeUp = () => {
        clearTimeout(timer);
        this._wakeUp = null;
        resolve();
      };
    });
  }

  private readonly _wake = (): void => this._wakeUp?.();
  private readonly _giving = new AbortController();
  private _wakeUp: (() => void) | null = null;
  private _troubled = false;
  private _isLast = false;
  private _hurries = false;
  private _isStopped = false;
}

/** The seconds that an answer of this size keeps from the next; null: nothing was told. */
function worth(outputs: IOutputs | null): number {
  const { outputs: shown, widgets } = outputs ?? {};
  const size = outputs ? JSON.stringify([shown, widgets]).length : 0;
  return Math.min(MOST, size / PER_SECOND);
}

/**
 * Whether asking again is of no use: nothing is known of it, or its log is gone. Without a code
 * of ours it is a proxy that says no, a hub, or a login that ran out: these pass.
 */
export function isFinal({ code, status }: RequestError): boolean {
  return code !== '' && status === 404;
}
