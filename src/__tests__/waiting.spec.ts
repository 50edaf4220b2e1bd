import { ServerConnection } from '@jupyterlab/services';
import { nullTranslator } from '@jupyterlab/translation';

import { RemoteGPUManager } from '../manager';
import { request } from '../request';
import { errorSentence } from '../sentences';
import { FilledNotebook, settled as rested } from './filled';
import { FakeServer, settled, snapshot } from './server';

describe('what the server does not answer', () => {
  let server: FakeServer;
  let model: RemoteGPUManager;

  /** What becomes of it: null as long as it is waited for. */
  const watched = (asked: Promise<unknown>): (() => string | null) => {
    let told: string | null = null;
    const trans = nullTranslator.load('');
    asked.then(
      () => (told = 'answered'),
      (error: unknown) => (told = errorSentence(error, trans))
    );
    return () => told;
  };

  beforeEach(() => {
    server = new FakeServer();
    server.replies.set('GET about', { body: { version: '1', daemon: {} } });
    server.replies.set('GET snapshot', snapshot({}));
    model = new RemoteGPUManager({
      serverSettings: server.settings,
      events: null
    });
  });

  afterEach(() => {
    model.dispose();
    jest.useRealTimers();
  });

  // The seconds that the server itself may take (`routes/manager.py`), with a daemon to be started.
  it.each([
    ['outputs', 635, () => model.outputs('e', null)],
    ['executions', 65, () => model.executions('a.ipynb')],
    ['an execution', 65, () => model.execution('e')],
    ['kernels', 95, () => model.kernels()],
    ['hosts', 65, () => model.hosts()],
    ['a log', 65, () => model.log('a')],
    ['refused keys', 65, () => model.refusedKeys('a')],
    ['an interrupt', 65, () => model.interrupt('e')],
    ['a connect', 65, () => model.connect('a')],
    ['a disconnect', 65, () => model.disconnect('a')],
    ['a new pod', 65, () => model.addPod('ssh a')],
    ['a removal', 95, () => model.removePod('a')],
    ['a stop', 95, () => model.stopKernel('a', 'k')],
    ['a restart', 155, () => model.restartKernel('a', 'k')],
    ['the demo', 105, () => model.startDemo()]
  ])('is waited for, and then no more: %s', async (_, seconds, ask) => {
    jest.useFakeTimers();
    server.hangs = true;
    const told = watched(ask());
    await settled();
    jest.advanceTimersByTime(seconds * 1000);
    await settled();
    expect(told()).toBeNull();
    jest.advanceTimersByTime(seconds * 1000);
    await settled();
    expect(told()).toContain('did not answer in time');
    // Who has asked for a change has to look whether it was made.
    const { what } = server.asked[0];
    expect(told()!.includes('It may have done it')).toBe(
      !what.startsWith('GET')
    );
  });

  it('frees its connection when the server is gone; a change goes on', async () => {
    model.watch(true);
    await model.ready;
    server.hangs = true;
    const questions = [
      model.outputs('e', null),
      model.executions('a.ipynb')
    ].map(watched);
    const change = watched(model.stopKernel('a', 'k'));
    await settled();
    const before = server.givenUp;
    server.hangs = false;
    server.gone = true;
    void model.refresh();
    await settled();
    expect(model.link).toBe('server-gone');
    expect(questions.map(told => told())).toEqual(
      Array(2).fill('The Jupyter server does not answer.')
    );
    expect(server.givenUp).toBe(before + 2);
    expect(change()).toBeNull();
    // What is asked for from now on is asked.
    server.gone = false;
    server.replies.set('GET hosts', { body: { hosts: ['a'] } });
    expect(await model.hosts()).toEqual(['a']);
  });

  it('is given up at the end', async () => {
    jest.useFakeTimers();
    server.hangs = true;
    const told = watched(model.outputs('e', null));
    void model.refresh();
    await settled();
    model.dispose();
    await settled();
    expect(told()).not.toBeNull();
    expect(server.givenUp).toBe(2);
    expect(jest.getTimerCount()).toBe(0);
  });
});

it('an answer that comes in pieces is waited for as long as they come', async () => {
  jest.useFakeTimers();
  const bytes = new TextEncoder().encode('"a — b"');
  let signal: AbortSignal;
  let next = (): void => undefined;
  const read = (index: number) => {
    const value = bytes.slice(index, index + 1);
    return new Promise((resolve, reject) => {
      signal!.addEventListener('abort', () => reject(new Error('aborted')));
      next = () => resolve({ done: value.length === 0, value });
    });
  };
  let index = 0;
  const body = { getReader: () => ({ read: () => read(index++) }) };
  const answer = {
    body,
    ok: true,
    status: 200,
    headers: new Headers()
  } as unknown as Response;
  const settings = ServerConnection.makeSettings({
    fetch: asked => {
      ({ signal } = asked as Request);
      return Promise.resolve(answer);
    }
  });
  const asked = request(settings, 'outputs', { limit: 1000 });
  for (let piece = 0; piece <= bytes.length; piece++) {
    await settled();
    jest.advanceTimersByTime(900);
    next();
  }
  expect((await asked).data).toBe('a — b');
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

it('a notebook that is closed waits for nothing any more', async () => {
  const notebook = await FilledNotebook.create();
  const { model } = notebook;
  model.ran('one', { state: 'running' });
  model.outputs.mockImplementation(() => new Promise(() => undefined));
  await notebook.open();
  model.executions.mockImplementation(() => new Promise(() => undefined));
  void notebook.refiller.check();
  await rested();
  const signals = [model.outputs, model.executions].map(
    ({ mock }) => (mock.calls as unknown[][]).at(-1)!.at(-1) as AbortSignal
  );
  expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
  notebook.dispose();
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
});
