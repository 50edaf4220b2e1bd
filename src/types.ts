import type { IOutput } from '@jupyterlab/nbformat';
import type { PartialJSONObject } from '@lumino/coreutils';

/** What the server tells, as it is used here; `parse.ts` makes these of any answer. */

export const POD_STATES = [
  'disconnected',
  'connecting',
  'host-key',
  'preparing',
  'connected',
  'reconnecting',
  'failed'
] as const;

export type PodState = (typeof POD_STATES)[number];

export type ExecutionState = 'queued' | 'running' | 'ended';

/** One cell that was handed to a kernel on a pod. */
export interface IExecution {
  readonly id: string;
  readonly code: string;
  readonly state: ExecutionState;
  /** Seconds since the epoch, by the clock of the one who asked where that is told: it orders them. */
  readonly asked: number | null;
  /** Seconds since the epoch, as the next two by the pod's clock. */
  readonly requested: number | null;
  readonly started: number | null;
  readonly ended: number | null;
  /** `ok`, `error`, `aborted`, `died`, or what a newer server calls it. */
  readonly outcome: string | null;
  readonly count: number | null;
  /** What the kernel was told to be its notebook, an absolute path there. */
  readonly notebook: string | null;
  readonly cell: string | null;
  readonly localKernel: string | null;
  /** The request of the front end's that it came with. */
  readonly msgId: string | null;
  /** It is no cell of the user's. */
  readonly silent: boolean;
}

export interface IKernel {
  readonly id: string;
  readonly pod: string;
  readonly displayName: string;
  readonly alive: boolean | null;
  readonly notebook: string | null;
  readonly executions: ReadonlyArray<IExecution>;
}

export interface IHostKey {
  readonly fingerprint: string;
  readonly type: string;
}

/** A key that a pod refused. */
export interface IRefusedKey {
  /** Its file, or what the agent calls it. */
  readonly name: string;
  /** Its public half, as `authorized_keys` has it. */
  readonly public: string;
}

export interface IPod {
  readonly name: string;
  readonly address: string;
  readonly state: PodState;
  readonly reason: string | null;
  readonly code: string | null;
  readonly since: number | null;
  /** The latest round trip in seconds. */
  readonly latency: number | null;
  readonly waiting: number;
  readonly nextTry: number | null;
  readonly hostKey: IHostKey | null;
  readonly warnings: ReadonlyArray<string>;
  readonly kernels: ReadonlyArray<IKernel>;
}

export interface ISnapshot {
  readonly revision: number;
  readonly pods: ReadonlyArray<IPod>;
}

/** A kernel in the list that the pods were asked for. */
export interface IKernelRow {
  readonly id: string;
  readonly pod: string;
  readonly alive: boolean | null;
  readonly orphan: boolean;
  /** The pod was not asked: this is what was known last. */
  readonly stale: boolean;
  /** Seconds. */
  readonly age: number | null;
  /** Bytes. */
  readonly memory: number | null;
  readonly gpuMemory: number | null;
  readonly displayName: string;
  readonly notebook: string | null;
}

export interface IKernelList {
  readonly kernels: ReadonlyArray<IKernelRow>;
  /** Sentences by the names of pods that could not be asked. */
  readonly errors: ReadonlyArray<readonly [string, string]>;
}

export interface IAbout {
  readonly version: string;
  readonly daemon: boolean;
  /** Code that loads the magics in a kernel; empty: an older server. */
  readonly loadMagics: string;
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** An execution with where it runs. */
export interface IPlacedExecution extends IExecution {
  readonly pod: string;
  readonly kernel: string;
  /** The pod's link stands. */
  readonly linked: boolean;
}

/** What an execution said, for a cell that cannot take it. */
export interface IOffer {
  readonly execution: IExecution;
  readonly reason:
    | 'text'
    | 'gone'
    | 'shared-id'
    | 'no-ids'
    /** The cell shows a run of which nothing is known. */
    | 'other'
    /** The user took it back. */
    | 'undone'
    /** Some of it was dropped on its way, and the cell has more. */
    | 'gaps';
}

/** What the cell of an execution shows, as far as it is known. */
export interface IOutputs {
  readonly execution: IExecution;
  /** All of the cell's code. */
  readonly code: string;
  readonly outputs: ReadonlyArray<IOutput>;
  readonly count: number | null;
  /** Null while it is queued or runs. */
  readonly outcome: string | null;
  /** A notebook's `metadata.widgets` for what is shown. */
  readonly widgets: PartialJSONObject | null;
  /** Something of it was dropped from the pod's log: the cell may have more of it. */
  readonly gaps: boolean;
  readonly etag: string | null;
}
