import type { ServerConnection } from '@jupyterlab/services';

import {
  parseExecution,
  parseExecutions,
  parseKernels,
  parseOutputs,
  parsePod,
  parseRefusedKeys,
  parseStrings
} from './parse';
import type { IAnswer, IRequest } from './request';
import { AddedError, RequestError, address, request } from './request';
import type {
  IExecution,
  IKernelList,
  IOutputs,
  IPod,
  IRefusedKey
} from './types';

/*
 * How long the server may say nothing, in milliseconds: longer than it waits itself, and tells then
 * whose fault it is (`routes/manager.py`), with 35 s for a daemon that has to be started first.
 */
const LIMIT_MS = 75_000;
/** One that does not tell how it is in so long is gone: it waits 30 s for a daemon that runs. */
const FOLLOW_MS = 35_000;
/** It asks pods. */
const PODS_MS = 105_000;
const RESTART_MS = 165_000;
const DEMO_MS = 120_000;
/** A log of gigabytes may be read for this, and its kernel's, for 300 s each. */
const OUTPUTS_MS = 675_000;

/** What can be asked for; each rejects with a `RequestError`. */
export abstract class Client {
  constructor(private readonly settings: ServerConnection.ISettings) {}

  /** Fetch what is known anew; it never rejects. */
  abstract refresh(): Promise<void>;

  async addPod(ssh: string): Promise<IPod> {
    const { data } = await this.ask('pods', { method: 'POST', body: { ssh } });
    const pod = named(data);
    try {
      await this.connect(pod.name);
    } catch (error) {
      throw error instanceof RequestError ? new AddedError(error) : error;
    }
    return pod;
  }

  async removePod(pod: string): Promise<string | null> {
    const path = address('pods', pod);
    const { data } = await this.change(path, {
      method: 'DELETE',
      limit: PODS_MS
    });
    const left = (data as { key_left?: unknown } | null)?.key_left;
    return typeof left === 'string' && left ? left : null;
  }

  async connect(pod: string, acceptHostKey?: string): Promise<void> {
    const body = acceptHostKey ? { accept_host_key: acceptHostKey } : {};
    const path = address('pods', pod, 'connection');
    await this.change(path, { method: 'PUT', body });
  }

  async disconnect(pod: string): Promise<void> {
    const path = address('pods', pod, 'connection');
    await this.change(path, { method: 'DELETE' });
  }

  async startDemo(): Promise<void> {
    const { data } = await this.ask('demo', {
      method: 'POST',
      body: {},
      limit: DEMO_MS
    });
    await this.connect(named(data).name);
  }

  async log(pod: string): Promise<string[]> {
    const { data } = await this.look(address('pods', pod, 'log'));
    return parseStrings(data, 'lines');
  }

  async refusedKeys(pod: string): Promise<IRefusedKey[]> {
    const { data } = await this.look(address('pods', pod, 'refused-keys'));
    return parseRefusedKeys(data);
  }

  async hosts(): Promise<string[]> {
    return parseStrings((await this.look('hosts')).data, 'hosts');
  }

  async kernels(): Promise<IKernelList> {
    const { data } = await this.look('kernels', { limit: PODS_MS });
    return parseKernels(data);
  }

  async stopKernel(pod: string, kernel: string): Promise<void> {
    const path = address('pods', pod, 'kernels', kernel);
    await this.change(path, { method: 'DELETE', limit: PODS_MS });
  }

  async restartKernel(pod: string, kernel: string): Promise<void> {
    const path = address('pods', pod, 'kernels', kernel, 'restart');
    await this.change(path, { method: 'POST', body: {}, limit: RESTART_MS });
  }

  async interrupt(execution: string): Promise<boolean | null> {
    const path = address('executions', execution, 'interrupt');
    const { data } = await this.change(path, { method: 'POST', body: {} });
    const done = (data as { done?: unknown } | null)?.done;
    return typeof done === 'boolean' ? done : null;
  }

  async executions(
    notebook: string,
    signal?: AbortSignal
  ): Promise<IExecution[]> {
    const path = `executions?notebook=${encodeURIComponent(notebook)}`;
    return parseExecutions((await this.look(path, { signal })).data);
  }

  async execution(
    id: string,
    signal?: AbortSignal
  ): Promise<IExecution | null> {
    const path = address('executions', id);
    return parseExecution((await this.look(path, { signal })).data);
  }

  async outputs(
    id: string,
    etag: string | null,
    signal?: AbortSignal
  ): Promise<IOutputs | null> {
    const path = address('executions', id, 'outputs');
    const asked = { etag, limit: OUTPUTS_MS, signal };
    const answer = await this.look(path, asked);
    if (answer.status === 304) {
      return null;
    }
    const outputs = parseOutputs(answer.data, answer.etag);
    if (!outputs) {
      throw new RequestError('refused', `${path}: no execution`, 'answer');
    }
    return outputs;
  }

  protected ask(path: string, options?: IRequest): Promise<IAnswer> {
    return request(this.settings, path, { limit: LIMIT_MS, ...options });
  }

  /** Ask for what tells how the server is. */
  protected follow(
    path: string,
    signal: AbortSignal,
    etag: string | null = null
  ): Promise<IAnswer> {
    return this.ask(path, { etag, limit: FOLLOW_MS, signals: [signal] });
  }

  /** Ask for what changes nothing: such a question may be given up. */
  protected look(
    path: string,
    { signal, ...options }: IRequest & { readonly signal?: AbortSignal } = {}
  ): Promise<IAnswer> {
    const signals = [this._giving.signal, ...(signal ? [signal] : [])];
    return this.ask(path, { ...options, signals });
  }

  /** What was asked for so far is not waited for any more, unless it changes something. */
  protected giveUp(): void {
    this._giving.abort();
    this._giving = new AbortController();
  }

  /** Ask for what changes what is known, and fetch that. */
  protected async change(path: string, options: IRequest): Promise<IAnswer> {
    try {
      return await this.ask(path, options);
    } finally {
      void this.refresh();
    }
  }

  private _giving = new AbortController();
}

function named(data: unknown): IPod {
  const pod = parsePod(data);
  if (!pod) {
    throw new RequestError('refused', 'The server named no pod.', 'answer');
  }
  return pod;
}
