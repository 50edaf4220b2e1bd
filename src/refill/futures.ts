import type { CodeCell } from '@jupyterlab/cells';

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
      const over = (normally: boolean) => {
        this._over.add(future);
        if (normally) {
          this._delivered.add(future.msg.header.msg_id);
        } else {
          this._lost.add(future);
        }
        this.onOver();
      };
      future.done.then(
        reply => over(reply?.content.status !== 'aborted'),
        // The kernel was restarted, or is gone.
        () => over(false)
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

  /** Whether the request has delivered all that the cell says; it is told once. */
  take(request: string | null): boolean {
    return request !== null && this._delivered.delete(request);
  }

  private readonly _seen = new WeakSet<object>();
  private readonly _over = new WeakSet<object>();
  private readonly _lost = new WeakSet<object>();
  private readonly _delivered = new Set<string>();
}
