import type { Event, ServerConnection } from '@jupyterlab/services';
import { PromiseDelegate } from '@lumino/coreutils';
import { DisposableDelegate } from '@lumino/disposable';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { activeOf, endedSince } from './executions';
import { Client } from './client';
import { Keeping } from './keeping';
import { parseAbout, parseSnapshot } from './parse';
import type { IAnswer } from './request';
import { RequestError } from './request';
import { Retry } from './retry';
import type { IRemoteGPU, Link } from './tokens';
import { Turns } from './turns';
import type { IAbout, IPlacedExecution, IPod, ISnapshot } from './types';
import { sameVersion } from './versions';

export const EVENT =
  'https://events.jupyter.org/jupyter_remote_gpu/snapshot/v1';

/** One that is gone is not waited for longer than this when somebody wants it tried now. */
const PATIENCE_MS = 1500;
/** Hints within so many milliseconds are one. */
const HINT_MS = 400;

/** The model: what the server told last, and how to ask. Nothing is asked before `watch`. */
export class RemoteGPUManager extends Client implements IRemoteGPU {
  constructor(options: RemoteGPUManager.IOptions) {
    super(options.serverSettings);
    this._stream = options.events;
    this._stream?.connect(this._onEvent, this);
    this._failures = options.failures ?? null;
    this._failures?.connect(this._onFailure, this);
  }

  snapshot: ISnapshot | null = null;
  active: readonly IPlacedExecution[] = [];
  loadMagics = '';
  link: Link = 'unknown';
  linkReason = '';
  linkSince = Date.now();

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get ended(): ISignal<this, IPlacedExecution> {
    return this._ended;
  }

  get ready(): Promise<void> {
    return this._ready.promise;
  }

  get pods(): readonly IPod[] {
    return this.snapshot?.pods ?? [];
  }

  get nextTry(): number | null {
    return this._retry.next;
  }

  /** The version of the front end; empty: it is not known. */
  get pageVersion(): string {
    return this._pageVersion;
  }

  set pageVersion(value: string) {
    this._pageVersion = value;
    this._changed.emit();
  }

  get mismatch(): { page: string; server: string } | null {
    const page = this.pageVersion;
    const server = this._serverVersion;
    return sameVersion(page, server) ? null : { page, server };
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  now(): number {
    return (Date.now() + this._ahead) / 1000;
  }

  watch(closely = false): IDisposable {
    const watcher = { closely };
    this._watchers.add(watcher);
    if (closely) {
      this._retry.pause();
      void this.refresh();
    } else if (this._watchers.size === 1) {
      void this._look();
    }
    this._keeping.start();
    return new DisposableDelegate(() => {
      this._watchers.delete(watcher);
      if (this._watchers.size === 0) {
        this._retry.pause();
        this._keeping.stop();
      }
    });
  }

  /** Fetch the snapshot. One request at a time; who asks meanwhile gets the one that follows. */
  override refresh(): Promise<void> {
    const patience = this.link === 'server-gone' ? PATIENCE_MS : undefined;
    return this._turns.take(this._fetch, patience);
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._stream?.disconnect(this._onEvent, this);
    this._failures?.disconnect(this._onFailure, this);
    this.giveUp();
    this._turns.giveUp();
    this._retry.pause();
    clearTimeout(this._hint);
    this._keeping.stop();
    this._watchers.clear();
    Signal.clearData(this);
  }

  private get _closely(): boolean {
    return [...this._watchers].some(watcher => watcher.closely);
  }

  private get _isSeen(): boolean {
    return this._closely && document.visibilityState === 'visible';
  }

  private _look(): Promise<void> {
    return this._closely || this._isOn
      ? this.refresh()
      : this._turns.take(this._glance);
  }

  /** See whether there is anything to show, without a daemon being started for it. */
  private readonly _glance = async (signal: AbortSignal): Promise<void> => {
    try {
      const about = await this._about(signal);
      if (about.error?.code === 'version') {
        throw new RequestError('version', about.error.message);
      }
      if (about.daemon) {
        await this._fetch(signal);
      } else {
        this._retry.done();
        this._linked('ok', '');
        this._changed.emit();
      }
    } catch (error) {
      this._failed(error, signal);
    }
  };

  private async _about(signal: AbortSignal): Promise<IAbout> {
    const about = parseAbout((await this.follow('about', signal)).data);
    this._serverVersion = about.version;
    this.loadMagics = about.loadMagics;
    return about;
  }

  private readonly _fetch = async (signal: AbortSignal): Promise<void> => {
    try {
      if (this.link !== 'ok') {
        // After a server has come back it may be another version.
        await this._about(signal);
      }
      const before = Date.now();
      const answer = await this.follow('snapshot', signal, this._etag);
      if (!signal.aborted && !this._isDisposed) {
        this._took(answer, before);
      }
    } catch (error) {
      this._failed(error, signal);
    }
  };

  private _took(answer: IAnswer, before: number): void {
    const linked = this.link === 'ok';
    this._retry.done();
    if (!linked) {
      this._linked('ok', '');
    }
    if (answer.status !== 304) {
      this._etag = answer.etag;
      const snapshot = parseSnapshot(answer.data);
      const gone = endedSince(this.active, snapshot);
      this.snapshot = snapshot;
      this.active = activeOf(snapshot);
      this._tell(before, answer);
      this._changed.emit();
      gone.forEach(execution => this._ended.emit(execution));
    } else if (!linked) {
      this._changed.emit();
    }
    this._ready.resolve();
  }

  /** How far the server's clock is ahead of ours, by its Date, which has whole seconds. */
  private _tell(before: number, { date }: IAnswer): void {
    const sent = Date.parse(date ?? '');
    const apart = sent + 500 - (before + Date.now()) / 2;
    this._ahead = Math.abs(apart) > 2000 ? apart : 0;
  }

  private _failed(error: unknown, { aborted }: AbortSignal): void {
    if (this._isDisposed || aborted) {
      return;
    }
    const told = error instanceof RequestError ? error : null;
    const fault = told?.fault ?? 'refused';
    this._linked(
      fault === 'refused' ? 'trouble' : fault,
      told?.code === 'answer' ? '' : (told?.message ?? String(error))
    );
    if (fault === 'logged-out') {
      // No time mends it. Who logs in elsewhere comes back to this page, which asks then.
      this._retry.pause();
    } else if (this._watchers.size > 0) {
      this._retry.again();
    }
    this._changed.emit();
  }

  private _linked(link: Link, reason: string): void {
    if (link !== this.link) {
      this.linkSince = Date.now();
      this._etag = null;
      if (link === 'server-gone') {
        // What hangs keeps the browser's few connections from who looks for it.
        this.giveUp();
      }
    }
    this.link = link;
    this.linkReason = reason;
  }

  /** Whether anything may change without somebody's doing: also a hidden tab has to tell it. */
  private get _isOn(): boolean {
    return this.pods.some(
      ({ state }) => state !== 'disconnected' && state !== 'failed'
    );
  }

  private _onEvent(_: unknown, emission: Event.Emission): void {
    if (emission.schema_id !== EVENT || this._watchers.size === 0) {
      return;
    }
    this._hint ??= setTimeout(() => {
      this._hint = undefined;
      void this.refresh();
    }, HINT_MS);
  }

  /** JupyterLab asks the server every few seconds, so it is the first to know. */
  private _onFailure(): void {
    if (this.link === 'ok' && this._watchers.size > 0) {
      void this.refresh();
    }
  }

  private readonly _stream: Event.Stream | null;
  private readonly _failures: ISignal<unknown, unknown> | null;
  private readonly _watchers = new Set<{ closely: boolean }>();
  private readonly _retry = new Retry(() => void this._look());
  private readonly _turns = new Turns();
  private readonly _keeping = new Keeping(
    () => this.link === 'ok' && (this._isOn || this._isSeen),
    () => void this._look()
  );
  private readonly _ready = new PromiseDelegate<void>();
  private readonly _changed = new Signal<this, void>(this);
  private readonly _ended = new Signal<this, IPlacedExecution>(this);
  private _pageVersion = '';
  private _etag: string | null = null;
  private _serverVersion = '';
  private _ahead = 0;
  private _hint: ReturnType<typeof setTimeout> | undefined;
  private _isDisposed = false;
}

export namespace RemoteGPUManager {
  export interface IOptions {
    readonly serverSettings: ServerConnection.ISettings;
    /** Hints that something changed; null: there are none. */
    readonly events: Event.Stream | null;
    /** Emitted when a request of JupyterLab's own failed. */
    readonly failures?: ISignal<unknown, unknown>;
  }
}
