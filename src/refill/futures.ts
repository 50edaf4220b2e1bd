import type { CodeCell } from '@jupyterlab/cells';

/** How a request of this page's ended that was not given up. */
export interface IReply {
  /** What its error says; null: it had none. */
  readonly error: string | null;
}

/** What a page's own requests deliver to its cells. */
export class Futures {
  /** @param onOver - A request that was looked at is over. */
  constructor(private readonly onOver: () => void) {}

  /** Whether something that was sent from here is still to come for the cell. */
  isLive(cell: CodeCell): boolean {
    const { future } = cell.outputArea;
    if (!future) {
      return false;
    }
    // One that is disposed of may be over or given up: it says so in a moment.
    if (!this._seen.has(future)) {
      this._seen.add(future);
      const over = (reply: IReply | null) => {
        this._over.add(future);
        const { msg_id } = future.msg.header;
        if (reply) {
          this._replies.set(msg_id, reply);
          this._news.add(msg_id);
        } else {
          this._lost.add(future);
        }
        this.onOver();
      };
      future.done.then(
        reply => {
          const content = reply?.content;
          over(
            content?.status === 'aborted'
              ? null
              : { error: content?.status === 'error' ? content.evalue : null }
          );
        },
        // The kernel was restarted, or is gone.
        () => over(null)
      );
    }
    return !this._over.has(future);
  }

  /** Whether what was sent last for the cell was given up, maybe before it began. */
  isLost(cell: CodeCell): boolean {
    const { future } = cell.outputArea;
    return !!future && this._lost.has(future);
  }

  /** The request that a cell was last run by from here. */
  request(cell: CodeCell): string | null {
    return cell.outputArea.future?.msg.header.msg_id ?? null;
  }

  /** How the request ended; null: it has not, or was given up. */
  reply(request: string | null): IReply | null {
    return this._replies.get(request ?? '') ?? null;
  }

  /** Requests that have replied since the server was asked: what it said of them is old. */
  get news(): ReadonlySet<string> {
    return new Set(this._news);
  }

  /** The server has been asked since these replied. */
  known(requests: ReadonlySet<string>): void {
    requests.forEach(request => this._news.delete(request));
  }

  isNew(request: string | null): boolean {
    return this._news.has(request ?? '');
  }

  private readonly _seen = new WeakSet<object>();
  private readonly _over = new WeakSet<object>();
  private readonly _lost = new WeakSet<object>();
  private readonly _replies = new Map<string, IReply>();
  private readonly _news = new Set<string>();
}
