/** When to try again: sooner first, then less often; at once on demand. */
export class Retry {
  /**
   * @param attempt - What is tried; it decides about the next by `again` or `done`.
   * @param pauses - Seconds between tries; the last one counts on.
   */
  constructor(
    private readonly attempt: () => void,
    private readonly pauses: readonly number[] = [1, 2, 4, 8, 15, 30]
  ) {}

  /** When the next try starts, in milliseconds since the epoch; null: none waits. */
  get next(): number | null {
    return this._next;
  }

  /** Try again after the next pause; one that waits is not put off. */
  again(): void {
    if (this._timer !== undefined) {
      return;
    }
    const { pauses } = this;
    const seconds = pauses[Math.min(this._tries, pauses.length - 1)];
    this._tries += 1;
    this._next = Date.now() + seconds * 1000;
    this._timer = setTimeout(() => {
      this._clear();
      this.attempt();
    }, seconds * 1000);
  }

  /** It works: the next trouble begins with the shortest pause. */
  done(): void {
    this._clear();
    this._tries = 0;
  }

  /** Nobody looks: no more tries until `again`. */
  pause(): void {
    this._clear();
  }

  private _clear(): void {
    clearTimeout(this._timer);
    this._timer = undefined;
    this._next = null;
  }

  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _next: number | null = null;
  private _tries = 0;
}
