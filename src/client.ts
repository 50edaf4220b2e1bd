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
    const { data } = await this.change(path, { method: 'DELETE' });
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
    const { data } = await this.ask('demo', { method: 'POST', body: {} });
    await this.connect(named(data).name);
  }

  async log(pod: string): Promise<string[]> {
    const { data } = await this.ask(address('pods', pod, 'log'));
    return parseStrings(data, 'lines');
  }

  async refusedKeys(pod: string): Promise<IRefusedKey[]> {
    const { data } = await this.ask(address('pods', pod, 'refused-keys'));
    return parseRefusedKeys(data);
  }

  async hosts(): Promise<string[]> {
    return parseStrings((await this.ask('hosts')).data, 'hosts');
  }

  async kernels(): Promise<IKernelList> {
    return parseKernels((await this.ask('kernels')).data);
  }

  async stopKernel(pod: string, kernel: string): Promise<void> {
    const path = address('pods', pod, 'kernels', kernel);
    await this.change(path, { method: 'DELETE' });
  }

  async restartKernel(pod: string, kernel: string): Promise<void> {
    const path = address('pods', pod, 'kernels', kernel, 'restart');
    await this.change(path, { method: 'POST', body: {} });
  }

  async interrupt(execution: string): Promise<boolean | null> {
    const path = address('executions', execution, 'interrupt');
    const { data } = await this.change(path, { method: 'POST', body: {} });
    const done = (data as { done?: unknown } | null)?.done;
    return typeof done === 'boolean' ? done : null;
  }

  async executions(notebook: string): Promise<IExecution[]> {
    const path = `executions?notebook=${encodeURIComponent(notebook)}`;
    return parseExecutions((await this.ask(path)).data);
  }

  async execution(id: string): Promise<IExecution | null> {
    return parseExecution((await this.ask(address('executions', id))).data);
  }

  async outputs(id: string, etag: string | null): Promise<IOutputs | null> {
    const path = address('executions', id, 'outputs');
    const answer = await this.ask(path, { etag });
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
    return request(this.settings, path, options);
  }

  /** Ask for what changes what is known, and fetch that. */
  protected async change(path: string, options: IRequest): Promise<IAnswer> {
    try {
      return await this.ask(path, options);
    } finally {
      void this.refresh();
    }
  }
}

function named(data: unknown): IPod {
  const pod = parsePod(data);
  if (!pod) {
    throw new RequestError('refused', 'The server named no pod.', 'answer');
  }
  return pod;
}
