import type { RequestError } from '../request';
import { address, request } from '../request';
import { FakeServer } from './server';

const sentence = { message: 'No such pod.', reason: 'Not Found', details: {} };

async function refusal(server: FakeServer): Promise<RequestError> {
  return request(server.settings, 'snapshot').then(
    () => {
      throw new Error('it was answered');
    },
    (error: RequestError) => error
  );
}

describe('request', () => {
  it('asks below the base URL, and sends JSON', async () => {
    const server = new FakeServer();
    server.replies.set('POST pods', { status: 201, body: { name: 'a' } });
    const { status, data } = await request(server.settings, 'pods', {
      method: 'POST',
      body: { ssh: 'ssh a' }
    });
    expect([status, data]).toEqual([201, { name: 'a' }]);
    expect(server.asked[0].body).toEqual({ ssh: 'ssh a' });
  });

  it('encodes what stands in a path', () => {
    expect(address('pods', '../a b')).toBe('pods/..%2Fa%20b');
  });

  it('sends what is known, and takes 304 and 204', async () => {
    const server = new FakeServer();
    server.replies.set('GET snapshot', { status: 304 });
    const answer = await request(server.settings, 'snapshot', { etag: '"7"' });
    expect(answer).toMatchObject({ status: 304, data: null });
    expect(server.asked[0].etag).toBe('"7"');
  });

  it.each([
    [404, { ...sentence, code: 'not-found' }, 'refused', 'No such pod.'],
    [503, { ...sentence, code: 'version' }, 'version', 'No such pod.'],
    [503, { ...sentence, code: 'daemon' }, 'refused', 'No such pod.'],
    [404, { message: 'Not Found' }, 'no-extension', 'Not Found'],
    [404, 'a page', 'no-extension', '404'],
    [502, null, 'server-gone', '502'],
    [403, { message: 'Forbidden' }, 'logged-out', 'Forbidden'],
    [403, { ...sentence, message: 'You may not.' }, 'refused', 'You may not.'],
    [403, 'a page', 'logged-out', '403'],
    [401, { message: 'No token.' }, 'logged-out', 'No token.']
  ])('%i %j is %s', async (status, body, fault, message) => {
    const server = new FakeServer();
    server.replies.set('GET snapshot', { status, body });
    expect(await refusal(server)).toMatchObject({ fault, message, status });
  });

  it('tells that no server answers', async () => {
    const server = new FakeServer();
    server.gone = true;
    expect((await refusal(server)).fault).toBe('server-gone');
  });

  it.each([
    ['<!doctype html>', 'logged-out'],
    ['{"revision": ', 'refused']
  ])('tells an answer that is not JSON: %s', async (text, fault) => {
    const server = new FakeServer();
    server.replies.set('GET snapshot', text);
    expect(await refusal(server)).toMatchObject({ code: 'answer', fault });
  });

  it('gives up what hangs, and lets go of the connection', async () => {
    const server = new FakeServer();
    server.hangs = true;
    const { settings } = server;
    await expect(
      request(settings, 'snapshot', { limit: 20 })
    ).rejects.toMatchObject({ fault: 'server-gone' });
    const giving = new AbortController();
    const asked = request(settings, 'snapshot', {
      signals: [giving.signal]
    });
    giving.abort();
    await expect(asked).rejects.toMatchObject({ fault: 'server-gone' });
    expect(server.givenUp).toBe(2);
  });
});
