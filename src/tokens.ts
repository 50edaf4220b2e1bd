import { Token } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';

import type { Fault } from './request';
import type {
  IExecution,
  IKernelList,
  IOffer,
  IOutputs,
  IPlacedExecution,
  IPod,
  IRefusedKey,
  ISnapshot
} from './types';

/** How the way to the server's part of this extension is. */
export type Link =
  | 'unknown'
  | 'ok'
  | 'server-gone'
  | 'no-extension'
  /** The login ran out. */
  | 'logged-out'
  | 'version'
  /** The server answers, but cannot say what there is. */
  | 'trouble';

/** Whether no question has an answer until the model says that the link is back. */
export function isAway(link: Link | Fault): boolean {
  return link === 'server-gone' || link === 'logged-out';
}

/** What is known of the pods, and what can be asked for. */
export interface IRemoteGPU extends IDisposable {
  /** Emitted after each change of what is below. */
  readonly changed: ISignal<IRemoteGPU, void>;
  /** Emitted for each execution that ended while it was followed. */
  readonly ended: ISignal<IRemoteGPU, IPlacedExecution>;
  /** Resolved with the first snapshot. */
  readonly ready: Promise<void>;
  /** The newest snapshot; null before the first one. */
  readonly snapshot: ISnapshot | null;
  readonly pods: readonly IPod[];
  /** What is queued or runs, oldest first. */
  readonly active: readonly IPlacedExecution[];
  readonly link: Link;
  /** A sentence about the link, where the server said one. */
  readonly linkReason: string;
  /** Since when the link is as it is, in milliseconds since the epoch. */
  readonly linkSince: number;
  /** When the server is asked again, in milliseconds since the epoch; null: it is not. */
  readonly nextTry: number | null;
  /** The versions of the page and of the server, where they differ. */
  readonly mismatch: { readonly page: string; readonly server: string } | null;
  /** What loads the magics, as the server knows it; empty as long as it is not known. */
  readonly loadMagics: string;
  /** Now by the server's clock, in seconds. */
  now(): number;
  /**
   * Somebody looks: from now on, until it is disposed of, changes are followed. With `closely`
   * the daemon is started if need be and kept.
   */
  watch(closely?: boolean): IDisposable;
  /** Ask the server now. It never rejects: see `link`. */
  refresh(): Promise<void>;
  /** Add a pod and begin to connect it; where that fails it rejects with an `AddedError`. */
  addPod(ssh: string): Promise<IPod>;
  removePod(pod: string): Promise<string | null>;
  connect(pod: string, acceptHostKey?: string): Promise<void>;
  disconnect(pod: string): Promise<void>;
  /** Start the pod on this machine and connect to it. */
  startDemo(): Promise<void>;
  log(pod: string): Promise<string[]>;
  /** The keys that the pod has just refused; none if that is not why it failed. */
  refusedKeys(pod: string): Promise<IRefusedKey[]>;
  hosts(): Promise<string[]>;
  kernels(): Promise<IKernelList>;
  stopKernel(pod: string, kernel: string): Promise<void>;
  restartKernel(pod: string, kernel: string): Promise<void>;
  /** Null: the link is down, and it is done on return. */
  interrupt(execution: string): Promise<boolean | null>;
  /** All that a notebook ran, by its contents path, oldest first; `signal`: it is given up. */
  executions(notebook: string, signal?: AbortSignal): Promise<IExecution[]>;
  /** One that is known by its id; null: the answer names none. */
  execution(id: string, signal?: AbortSignal): Promise<IExecution | null>;
  /** What an execution's cell shows; null: what `etag` was told with. */
  outputs(
    id: string,
    etag: string | null,
    signal?: AbortSignal
  ): Promise<IOutputs | null>;
}

export const IRemoteGPU = new Token<IRemoteGPU>(
  'jupyter-remote-gpu:IRemoteGPU',
  'The pods, their links and what runs on them.'
);

/** What notebooks complete themselves with. */
export interface IRefill {
  /** Emitted when something else is offered, and when another notebook is in front. */
  readonly changed: ISignal<IRefill, void>;
  /** What no cell of the notebook in front can take. */
  readonly offers: readonly IOffer[];
  /** Put it into a new cell of the notebook in front. */
  insert(execution: string): Promise<void>;
  /** Offer it no more. */
  dismiss(execution: string): void;
}

export const IRefill = new Token<IRefill>(
  'jupyter-remote-gpu:IRefill',
  'Outputs for cells that are gone or were edited.'
);
