/** Ticks each second while it runs and somebody listens, and at no other time. */
export class Clock {
  /** @param now - The time in seconds, by the clock that the figures are of. */
  constructor(readonly now: () => number) {}

  get running(): boolean {
    return this._running;
  }

  set running(value: boolean) {
    this._running = value;
    this._set();
    if (value) {
      this._tick();
    }
  }

  /** Call `listener` each second; the function that is returned ends it. */
  subscribe = (listener: () => void): (() => void) => {
    this._listeners.add(listener);
    this._set();
    return () => {
      this._listeners.delete(listener);
      this._set();
    };
  };

  private _tick = (): void => {
    this._listeners.forEach(listener => listener());
  };

  private _set(): void {
    const wanted = this._running && this._listeners.size > 0;
    if (wanted && this._timer === undefined) {
      this._timer = setInterval(this._tick, 1000);
    } else if (!wanted) {
      clearInterval(this._timer);
      this._timer = undefined;
    }
  }

  private readonly _listeners = new Set<() => void>();
  private _running = false;
  private _timer: ReturnType<typeof setInterval> | undefined;
}
