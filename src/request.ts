import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

/** Where our addresses begin, below the server's base URL. */
export const BASE = 'remote-gpu';

/** What stands between us and an answer. */
export type Fault =
  /** No server answers. */
  | 'server-gone'
  /** It answers, and does not know our addresses. */
  | 'no-extension'
  /** It does not know who asks, or shows a page to log in with. */
  | 'logged-out'
  /** Two of our parts have versions that do not go together. */
  | 'version'
  /** The server, the daemon or a pod says no, and why. */
  | 'refused';

/** An answer that is none of what was asked for. The message is for the user. */
export class RequestError extends Error {
  constructor(
    readonly fault: Fault,
    message: string,
    readonly code: string = '',
    readonly status: number = 0
  ) {
    super(message);
    this.name = 'RequestError';
  }
}

/** The pod was added, and only connecting it failed: who adds it again has it twice. */
export class AddedError extends RequestError {
  constructor({ fault, message, code, status }: RequestError) {
    super(fault, message, code, status);
  }
}

export interface IAnswer {
  readonly status: number;
  readonly etag: string | null;
  /** By the server's clock, as HTTP writes it. */
  readonly date: string | null;
  /** Null where there is no body. */
  readonly data: unknown;
}

export interface IRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Sent as JSON. */
  readonly body?: Record<string, unknown>;
  /** What is known already: the answer may be 304. */
  readonly etag?: string | null;
  /** After so many milliseconds in which nothing of an answer came there is no server. */
  readonly limit?: number;
  /** Whoever asked gives it up. */
  readonly signals?: readonly AbortSignal[];
}

/**
 * Ask the server at `path` (below `/remote-gpu/`; its parts are encoded by `address`).
 *
 * @throws RequestError
 */
export async function request(
  settings: ServerConnection.ISettings,
  path: string,
  { method = 'GET', body, etag, limit, signals = [] }: IRequest = {}
): Promise<IAnswer> {
  const url = URLExt.join(settings.baseUrl, BASE, path);
  const init: RequestInit = { method, cache: 'no-store' };
  if (body) {
    init.body = JSON.stringify(body);
  }
  if (etag) {
    init.headers = { 'If-None-Match': etag };
  }
  // Given up in fact: a browser has few connections to one server, and one that hangs is one of them.
  const giving = new AbortController();
  const giveUp = () => giving.abort();
  signals.forEach(signal => signal.addEventListener('abort', giveUp));
  if (signals.some(({ aborted }) => aborted)) {
    giveUp();
  }
  let isLate = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      isLate = true;
      giveUp();
    }, limit);
  };
  const came = limit === undefined ? () => undefined : wait;
  came();
  init.signal = giving.signal;
  let response: Response;
  let text: string;
  try {
    response = await ServerConnection.makeRequest(url, init, settings);
    text = await textOf(response, came);
  } catch (error) {
    // What fetch() throws, the server's end in the middle of an answer too, is the network.
    const code = !isLate ? '' : method === 'GET' ? 'late' : 'late-change';
    throw new RequestError('server-gone', String(error), code);
  } finally {
    clearTimeout(timer);
    signals.forEach(signal => signal.removeEventListener('abort', giveUp));
  }
  const data = parsed(text);
  if (response.ok || response.status === 304) {
    if (text && data === undefined) {
      // Who is sent on to a page to log in with is answered 200, and HTML.
      throw new RequestError(
        text.trimStart().startsWith('<') ? 'logged-out' : 'refused',
        `${path}: the answer is not JSON`,
        'answer',
        response.status
      );
    }
    return {
      status: response.status,
      etag: response.headers.get('ETag'),
      date: response.headers.get('Date'),
      data: data ?? null
    };
  }
  throw refusal(response, data);
}

/** A path of parts that may have any characters. */
export function address(...parts: string[]): string {
  return parts.map(encodeURIComponent).join('/');
}

/** All of the answer: `came` is called for each piece of it, for a large one takes its time. */
async function textOf(response: Response, came: () => void): Promise<string> {
  if (!response.body) {
    return response.text();
  }
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      return text + decoder.decode();
    }
    came();
    text += decoder.decode(value, { stream: true });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // a page of a proxy's
  }
}

/** Whether nothing but the login is wrong: one who is known and may not is told so in words. */
function isLogin(status: number, message: string): boolean {
  return (
    status === 401 || (status === 403 && /^(403 ?)?(Forbidden)?$/.test(message))
  );
}

function refusal(response: Response, data: unknown): RequestError {
  const { status, statusText } = response;
  const told = (data ?? {}) as { code?: unknown; message?: unknown };
  const code = typeof told.code === 'string' ? told.code : '';
  const message =
    typeof told.message === 'string' && told.message
      ? told.message
      : `${status} ${statusText}`.trim();
  if (isLogin(status, message)) {
    return new RequestError('logged-out', message, code, status);
  }
  if (code) {
    const fault = code === 'version' ? 'version' : 'refused';
    return new RequestError(fault, message, code, status);
  }
  // Ours has a code always. A proxy says 502 to 504 while the server behind it is away.
  if (status === 404) {
    return new RequestError('no-extension', message, code, status);
  }
  const gone = status >= 502 && status <= 504;
  return new RequestError(
    gone ? 'server-gone' : 'refused',
    message,
    '',
    status
  );
}
