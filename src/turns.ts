type Work = (signal: AbortSignal) => Promise<void>;

/** One piece of work at a time; who wants more meanwhile gets the one that follows. */
export class Turns {
  /**
   * Do it, now or after what is under way.
   *
   * @param work - It never rejects, and ends soon after its signal.
   * @param patience - What is under way for so many milliseconds is given up for it.
   */
  async take(work: Work, patience = Infinity): Promise<void> {
    if (this._current && Date.now() - this._since > patience) {
      this._giving.abort();
      this._current = null;
    }
    if (this._current) {
      this._next ??= this._current.then(() => {
        this._next = null;
        return this.take(work);
      });
      return this._next;
    }
    this._giving = new AbortController();
    this._since = Date.now();
    const current = work(this._giving.signal).finally(() => {
      if (this._current === current) {
        this._current = null;
      }
    });
    this._current = current;
    return current;
  }

  /** Give up what is under way. */
  giveUp(): void {
    this._giving.abort();
  }

  private _current: Promise<void> | null = null;
  private _next: Promise<void> | null = null;
  private _giving = new AbortController();
  private _since = 0;
}
