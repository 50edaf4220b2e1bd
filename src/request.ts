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
}

/**
 * Ask the server at `path` (below `/remote-gpu/`; its parts are encoded by `address`).
 *
 * @throws RequestError
 */
export async function request(
  settings: ServerConnection.ISettings,
  path: string,
  { method = 'GET', body, etag }: IRequest = {}
): Promise<IAnswer> {
  const url = URLExt.join(settings.baseUrl, BASE, path);
  const init: RequestInit = { method, cache: 'no-store' };
  if (body) {
    init.body = JSON.stringify(body);
  }
  if (etag) {
    init.headers = { 'If-None-Match': etag };
  }
  let response: Response;
  let text: string;
  try {
    response = await ServerConnection.makeRequest(url, init, settings);
    text = await response.text();
  } catch (error) {
    // What fetch() throws, the server's end in the middle of an answer too, is the network.
    throw new RequestError('server-gone', String(error));
  }
  const data = parsed(text);
  if (response.ok || response.status === 304) {
    if (text && data === undefined) {
      throw new RequestError(
        'refused',
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

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // a page of a proxy's
  }
}

function refusal(response: Response, data: unknown): RequestError {
  const { status, statusText } = response;
  const told = (data ?? {}) as { code?: unknown; message?: unknown };
  const code = typeof told.code === 'string' ? told.code : '';
  const message =
    typeof told.message === 'string' && told.message
      ? told.message
      : `${status} ${statusText}`.trim();
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
