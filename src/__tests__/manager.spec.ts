import type { Event } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';

import { EVENT, RemoteGPUManager } from '../manager';
import { AddedError } from '../request';
import {
  FakeServer,
  execution,
  kernel,
  pod,
  settled,
  snapshot
} from './server';

describe('the model', () => {
  let server: FakeServer;
  let events: Signal<object, Event.Emission>;
  let failures: Signal<object, Error>;
  let model: RemoteGPUManager;

  beforeEach(() => {
    server = new FakeServer();
    server.replies.set('GET about', {
      body: { version: '0.1.0', daemon: {}, error: null }
    });
    server.replies.set('GET snapshot', snapshot({}));
    events = new Signal<object, Event.Emission>({});
    failures = new Signal<object, Error>({});
    model = new RemoteGPUManager({
      serverSettings: server.settings,
      events: events as unknown as Event.Stream,
      failures
    });
  });

  afterEach(() => {
    model.dispose();
    jest.useRealTimers();
  });

  it('asks nothing while nobody looks', async () => {
    jest.useFakeTimers();
    events.emit({ schema_id: EVENT, revision: 2 });
    jest.advanceTimersByTime(300_000);
    await settled();
    expect(server.asked).toEqual([]);
  });

  it('looks for the server when JupyterLab misses it', async () => {
    const watching = model.watch(true);
    await model.ready;
    server.gone = true;
    failures.emit(new Error('Failed to fetch'));
    await settled();
    expect(model.link).toBe('server-gone');
    watching.dispose();
    const asked = server.asked.length;
    failures.emit(new Error('Failed to fetch'));
    await settled();
    expect(server.asked).toHaveLength(asked);
  });

  it('is ready with the first snapshot', async () => {
    model.watch(true);
    await model.ready;
    expect(model.link).toBe('ok');
    expect(model.pods.map(({ name }) => name)).toEqual(['runpod-4090']);
  });

  it('knows how the server would load the magics', async () => {
    server.replies.set('GET about', {
      body: { version: '1', daemon: null, load_magics: 'load them' }
    });
    model.watch();
    await settled();
    expect(model.loadMagics).toBe('load them');
  });

  it('starts no daemon to show that there is none', async () => {
    server.replies.set('GET about', { body: { version: '1', daemon: null } });
    model.watch();
    await settled();
    expect(server.count('GET about')).toBe(1);
    expect(server.count('GET snapshot')).toBe(0);
    expect(model.link).toBe('ok');
  });

  it('fetches once for many hints, with what it knows', async () => {
    model.watch(true);
    await model.ready;
    jest.useFakeTimers();
    server.replies.set('GET snapshot', { status: 304 });
    const changed = jest.fn();
    model.changed.connect(changed);
    for (let revision = 2; revision < 9; revision++) {
      events.emit({ schema_id: EVENT, revision });
    }
    events.emit({ schema_id: 'https://localhost/other' });
    jest.advanceTimersByTime(1000);
    await settled();
    expect(server.count('GET snapshot')).toBe(2);
    expect(server.asked.at(-1)?.etag).toBe('"1"');
    expect(changed).not.toHaveBeenCalled();
  });

  it.each([
    ['no-extension', { status: 404, body: 'x' }],
    [
      'version',
      { status: 503, body: { code: 'version', message: 'Upgrade.' } }
    ],
    [
      'trouble',
      { status: 503, body: { code: 'daemon', message: 'It is ill.' } }
    ]
  ])('tells %s, and is back by itself', async (link, reply) => {
    jest.useFakeTimers();
    server.replies.set('GET snapshot', reply);
    model.watch(true);
    await settled();
    expect(model.link).toBe(link);
    expect(model.nextTry).toBe(Date.now() + 1000);
    server.replies.set('GET snapshot', snapshot({}));
    jest.advanceTimersByTime(1000);
    await settled();
    expect(model.link).toBe('ok');
    expect(model.nextTry).toBeNull();
  });

  it('waits longer each time while the server is gone, and keeps what it knew', async () => {
    model.watch(true);
    await model.ready;
    jest.useFakeTimers();
    server.gone = true;
    await model.refresh();
    const before = server.asked.length;
    for (const pause of [1, 2, 4]) {
      expect(model.nextTry).toBe(Date.now() + pause * 1000);
      jest.advanceTimersByTime(pause * 1000);
      await settled();
    }
    expect(server.asked.length - before).toBe(3);
    expect(model.link).toBe('server-gone');
    expect(model.pods).toHaveLength(1);
  });

  it('tries no more when nobody looks any more', async () => {
    jest.useFakeTimers();
    server.gone = true;
    const watching = model.watch(true);
    await settled();
    watching.dispose();
    const before = server.asked.length;
    jest.advanceTimersByTime(300_000);
    await settled();
    expect(server.asked.length).toBe(before);
  });

  it('tells each execution that ended once', async () => {
    const ended: string[] = [];
    model.ended.connect((_, { outcome }) => ended.push(String(outcome)));
    const runs = kernel([
      execution(),
      execution({ id: 's', meta: { silent: true } })
    ]);
    server.replies.set('GET snapshot', snapshot({ kernels: [runs] }));
    await model.refresh();
    expect(model.active.map(({ count, pod: on }) => [count, on])).toEqual([
      [12, 'runpod-4090']
    ]);
    server.replies.set('GET snapshot', snapshot({ kernels: [runs] }, 2));
    await model.refresh();
    expect(ended).toEqual([]);
    const done = execution({ state: 'ended', outcome: 'ok', ended: 2100 });
    server.replies.set(
      'GET snapshot',
      snapshot({ kernels: [kernel([done])] }, 3)
    );
    await model.refresh();
    await model.refresh();
    expect(ended).toEqual(['ok']);
    expect(model.active).toEqual([]);
  });

  it.each(['gone', 'died'])(
    'knows of nothing that runs in a kernel that is %s',
    async ended => {
      const over = { ...(kernel([execution()]) as object), ended };
      server.replies.set('GET snapshot', snapshot({ kernels: [over] }));
      await model.refresh();
      expect(model.active).toEqual([]);
    }
  );

  it('adds a pod and connects it', async () => {
    server.replies.set('POST pods', {
      status: 201,
      body: pod({ name: 'a.b' })
    });
    server.replies.set('PUT pods/a.b/connection', { status: 202, body: {} });
    await model.addPod('ssh a.b');
    expect(server.asked.slice(0, 2).map(({ what }) => what)).toEqual([
      'POST pods',
      'PUT pods/a.b/connection'
    ]);
    expect(server.asked[0].body).toEqual({ ssh: 'ssh a.b' });
  });

  it('tells that a pod was added where only connecting it failed', async () => {
    server.replies.set('POST pods', { status: 201, body: pod({ name: 'a' }) });
    server.replies.set('PUT pods/a/connection', {
      status: 502,
      body: { code: 'network', message: 'No way there.' }
    });
    const added = model.addPod('ssh a');
    await expect(added).rejects.toBeInstanceOf(AddedError);
    await expect(added).rejects.toThrow('No way there.');
  });

  it('tells what the server refused, in its words', async () => {
    server.replies.set('POST pods', {
      status: 400,
      body: { code: 'bad-input', message: 'Option -R is not taken.' }
    });
    await expect(model.addPod('ssh -R a')).rejects.toThrow(
      'Option -R is not taken.'
    );
  });

  it('compares the versions of page and server', async () => {
    model.pageVersion = '0.2.0';
    model.watch(true);
    await model.ready;
    expect(model.mismatch).toEqual({ page: '0.2.0', server: '0.1.0' });
    const changed = jest.fn();
    model.changed.connect(changed);
    model.pageVersion = '0.3.0';
    expect(changed).toHaveBeenCalledTimes(1);
  });
});
