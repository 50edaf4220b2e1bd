/**
 * So often it is asked without a hint. Hints get lost while JupyterLab's websocket is away; and the
 * server lets go of a daemon for which nobody has asked for two minutes. In a hidden tab browsers
 * let a timer fire once a minute.
 */
const OFTEN_MS = 40_000;

/** Asks where no hint has come: every now and then, and when the page is seen again. */
export class Keeping {
  /**
   * @param isWanted - Whether to ask every now and then.
   */
  constructor(
    private readonly isWanted: () => boolean,
    private readonly ask: () => void
  ) {}

  start(): void {
    if (this._timer === undefined) {
      this._timer = setInterval(() => this.isWanted() && this.ask(), OFTEN_MS);
      document.addEventListener('visibilitychange', this._onVisible);
    }
  }

  stop(): void {
    clearInterval(this._timer);
    this._timer = undefined;
    document.removeEventListener('visibilitychange', this._onVisible);
  }

  private readonly _onVisible = (): void => {
    if (document.visibilityState === 'visible') {
      this.ask();
    }
  };

  private _timer: ReturnType<typeof setInterval> | undefined;
}
