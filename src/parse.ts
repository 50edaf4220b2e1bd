import type { IOutput } from '@jupyterlab/nbformat';
import type { PartialJSONObject } from '@lumino/coreutils';

import type {
  ExecutionState,
  IAbout,
  IExecution,
  IHostKey,
  IKernel,
  IKernelList,
  IKernelRow,
  IOutputs,
  IPod,
  IRefusedKey,
  ISnapshot,
  PodState
} from './types';
import { POD_STATES } from './types';

/*
 * Another version of the server may leave fields out, or send others: what is missing
 * becomes "not known", and what has no id or name is left out.
 */

type Fields = Record<string, unknown>;

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function textOrNull(value: unknown): string | null {
  return text(value) || null;
}

function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function flag(value: unknown): boolean | null {
  return typeof value === 'boolean' ? value : null;
}

function present<T>(values: (T | null)[]): T[] {
  return values.filter((value): value is T => value !== null);
}

export function parseSnapshot(value: unknown): ISnapshot {
  const data = fields(value);
  return {
    revision: number(data.revision) ?? 0,
    pods: present(list(data.pods).map(parsePod))
  };
}

/** A pod; null if it has no name to be called by. */
export function parsePod(value: unknown): IPod | null {
  const data = fields(value);
  const name = text(data.name);
  if (!name) {
    return null;
  }
  const state = POD_STATES.find(known => known === data.state);
  return {
    name,
    address: text(data.address),
    state: state ?? unknownState(data.state),
    reason: textOrNull(data.reason),
    code: textOrNull(data.code),
    since: number(data.since),
    latency: number(data.latency),
    waiting: number(data.waiting) ?? 0,
    nextTry: number(data.next_try),
    hostKey: parseHostKey(data.host_key),
    warnings: list(data.warnings).map(text).filter(Boolean),
    kernels: present(list(data.kernels).map(each => parseKernel(each, name)))
  };
}

/** A state of a newer server: something goes on, of which we know no more. */
function unknownState(value: unknown): PodState {
  return typeof value === 'string' && value ? 'preparing' : 'disconnected';
}

function parseHostKey(value: unknown): IHostKey | null {
  const data = fields(value);
  const fingerprint = text(data.fingerprint);
  return fingerprint ? { fingerprint, type: text(data.type) } : null;
}

function parseKernel(value: unknown, pod: string): IKernel | null {
  const data = fields(value);
  const id = text(data.id);
  if (!id) {
    return null;
  }
  const notebook = textOrNull(data.notebook);
  const executions = present(
    list(data.executions).map(each => parseExecution(each, notebook))
  );
  // Nothing runs in a kernel that has ended, also where nobody has seen how it did.
  const isOver = text(data.ended) !== '';
  return {
    id,
    pod,
    displayName: text(data.display_name),
    alive: flag(data.alive),
    notebook,
    executions: isOver
      ? executions.map(each => ({ ...each, state: 'ended' }))
      : executions
  };
}

export function parseExecution(
  value: unknown,
  notebook: string | null = null
): IExecution | null {
  const data = fields(value);
  const meta = fields(data.meta);
  const id = text(data.id);
  if (!id) {
    return null;
  }
  return {
    id,
    code: text(data.code),
    state: executionState(data),
    asked: number(meta.asked) ?? number(data.requested),
    requested: number(data.requested),
    started: number(data.started),
    ended: number(data.ended),
    outcome: textOrNull(data.outcome),
    count: number(data.count) ?? number(meta.count),
    notebook: textOrNull(meta.notebook) ?? notebook,
    cell: textOrNull(meta.cell),
    localKernel: textOrNull(meta.local_kernel),
    msgId: textOrNull(meta.msg_id),
    silent: meta.silent === true
  };
}

function executionState(data: Fields): ExecutionState {
  const state = data.state;
  if (state === 'queued' || state === 'running' || state === 'ended') {
    return state;
  }
  if (textOrNull(data.outcome) !== null) {
    return 'ended';
  }
  return number(data.started) === null ? 'queued' : 'running';
}

export function parseExecutions(value: unknown): IExecution[] {
  const rows = list(fields(value).executions);
  return present(rows.map(row => parseExecution(row)));
}

/** What a cell shows; null if it names no execution. */
export function parseOutputs(
  value: unknown,
  etag: string | null
): IOutputs | null {
  const data = fields(value);
  const execution = parseExecution(data.execution);
  if (!execution) {
    return null;
  }
  const widgets = fields(data.widgets) as PartialJSONObject;
  return {
    execution,
    code: text(data.code) || execution.code,
    outputs: list(data.outputs).filter(isOutput),
    count: number(data.execution_count),
    outcome: textOrNull(data.outcome),
    widgets: Object.keys(widgets).length > 0 ? widgets : null,
    gaps: data.gaps === true,
    etag
  };
}

function isOutput(value: unknown): value is IOutput {
  return text(fields(value).output_type) !== '';
}

export function parseKernels(value: unknown): IKernelList {
  const data = fields(value);
  return {
    kernels: present(list(data.kernels).map(parseKernelRow)),
    errors: Object.entries(fields(data.errors)).map(
      ([pod, sentence]) => [pod, text(sentence)] as const
    )
  };
}

function parseKernelRow(value: unknown): IKernelRow | null {
  const data = fields(value);
  const id = text(data.id);
  const pod = text(data.pod);
  if (!id || !pod) {
    return null;
  }
  return {
    id,
    pod,
    alive: flag(data.alive),
    orphan: data.orphan === true,
    stale: data.stale === true,
    age: number(data.age),
    memory: number(data.memory),
    gpuMemory: number(data.gpu_memory),
    displayName: text(data.display_name),
    notebook: textOrNull(data.notebook)
  };
}

export function parseAbout(value: unknown): IAbout {
  const data = fields(value);
  const error = fields(data.error);
  const message = text(error.message);
  return {
    version: text(data.version),
    daemon: data.daemon !== null && data.daemon !== undefined,
    loadMagics: text(data.load_magics),
    error: message ? { code: text(error.code), message } : null
  };
}

export function parseRefusedKeys(value: unknown): IRefusedKey[] {
  return list(fields(value).keys)
    .map(fields)
    .map(key => ({ name: text(key.name), public: text(key.public) }))
    .filter(key => key.public);
}

/** The strings of a list that is called `name` in an answer. */
export function parseStrings(value: unknown, name: string): string[] {
  return list(fields(value)[name]).map(text).filter(Boolean);
}
