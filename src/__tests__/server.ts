import { ServerConnection } from '@jupyterlab/services';

// What is awaited is real, the pauses are not.
const realTimeout = setTimeout;

/** Until what was begun has come to rest, also with timers that are not real. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) {
    await Promise.resolve();
    await new Promise(resolve => realTimeout(resolve, 0));
  }
}

export interface IReply {
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

/** What is asked, and what it is answered with: `METHOD path` below `/remote-gpu/`. */
export class FakeServer {
  readonly asked: { what: string; body: unknown; etag: string | null }[] = [];
  readonly replies = new Map<string, IReply | string>();
  gone = false;
  /** It takes requests, and says nothing. */
  hangs = false;
  givenUp = 0;

  readonly settings = ServerConnection.makeSettings({
    baseUrl: 'http://127.0.0.1:1/base/',
    fetch: async (input: RequestInfo) => {
      const request = input as Request;
      const path = request.url.split('/base/remote-gpu/')[1].split('?')[0];
      const what = `${request.method} ${path}`;
      const text = await request.text();
      this.asked.push({
        what,
        body: text ? JSON.parse(text) : null,
        etag: request.headers.get('If-None-Match')
      });
      if (this.hangs) {
        return new Promise<Response>((_, reject) => {
          const giveUp = () => {
            this.givenUp += 1;
            reject(new DOMException('', 'AbortError'));
          };
          if (request.signal.aborted) {
            giveUp();
          }
          request.signal.addEventListener('abort', giveUp);
        });
      }
      if (this.gone) {
        throw new TypeError('Failed to fetch');
      }
      const reply = this.replies.get(what) ?? { status: 404, body: {} };
      if (typeof reply === 'string') {
        return new Response(reply, { status: 200 });
      }
      const status = reply.status ?? 200;
      const bare = status === 204 || status === 304;
      return new Response(bare ? null : JSON.stringify(reply.body), {
        status,
        headers: reply.headers
      });
    }
  });

  count(what: string): number {
    return this.asked.filter(each => each.what === what).length;
  }
}

/** As the server tells a pod. */
export function pod(fields: Record<string, unknown> = {}): unknown {
  return {
    name: 'runpod-4090',
    address: 'root@203.0.113.7:40022',
    state: 'connected',
    reason: null,
    code: null,
    since: 1000,
    latency: 0.038,
    waiting: 0,
    next_try: null,
    host_key: null,
    warnings: [],
    kernels: [],
    ...fields
  };
}

export function kernel(executions: unknown[]): unknown {
  return {
    id: 'k'.repeat(32),
    identity: 'i',
    pod: 'runpod-4090',
    display_name: 'Python 3',
    alive: true,
    notebook: '/work/sampling.ipynb',
    executions
  };
}

export function execution(fields: Record<string, unknown> = {}): unknown {
  return {
    id: 'e'.repeat(32),
    client: 'c',
    code: '# sample\nidata = pm.sample()',
    state: 'running',
    requested: 1990,
    started: 2000,
    ended: null,
    outcome: null,
    count: 12,
    meta: { notebook: '/work/sampling.ipynb', cell: 'abc', count: 12 },
    ...fields
  };
}

/** The answer that has this pod. */
export function snapshot(
  fields: Record<string, unknown>,
  revision = 1
): IReply {
  return {
    body: { revision, daemon: {}, pods: [pod(fields)] },
    headers: { ETag: `"${revision}"` }
  };
}
