import { RemoteGPUManager } from '../manager';
import { FakeServer, settled, snapshot } from './server';

describe('when the model asks without a hint', () => {
  let server: FakeServer;
  let model: RemoteGPUManager;

  beforeEach(() => {
    server = new FakeServer();
    server.replies.set('GET about', {
      body: { version: '0.1.0', daemon: {}, error: null }
    });
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

  const show = (state: string) => {
    Object.defineProperty(document, 'visibilityState', {
      value: state,
      configurable: true
    });
    document.dispatchEvent(new Event('visibilitychange'));
  };

  it.each([
    ['connected', 1],
    ['disconnected', 0]
  ])('asks without a hint while a pod is %s', async (state, times) => {
    jest.useFakeTimers();
    server.replies.set('GET snapshot', snapshot({ state }));
    const watching = model.watch();
    await settled();
    show('hidden');
    const asked = server.count('GET snapshot');
    expect(asked).toBe(1);
    jest.advanceTimersByTime(60_000);
    await settled();
    expect(server.count('GET snapshot')).toBe(asked + times);
    show('visible');
    await settled();
    expect(server.count('GET snapshot')).toBe(asked + times + 1);
    watching.dispose();
    jest.advanceTimersByTime(60_000);
    show('visible');
    await settled();
    expect(server.count('GET snapshot')).toBe(asked + times + 1);
  });

  it('starts no daemon for a page that is seen again', async () => {
    const watching = model.watch(true);
    await model.ready;
    watching.dispose();
    server.replies.set('GET snapshot', snapshot({ state: 'disconnected' }, 2));
    model.watch();
    await model.refresh();
    server.replies.set('GET about', { body: { version: '1', daemon: null } });
    const asked = server.count('GET snapshot');
    show('visible');
    await settled();
    expect(server.count('GET snapshot')).toBe(asked);
  });

  it('takes a server that hangs for one that is gone, and tries it when told to', async () => {
    model.watch(true);
    await model.ready;
    jest.useFakeTimers();
    server.hangs = true;
    const asked = server.asked.length;
    void model.refresh();
    await settled();
    jest.advanceTimersByTime(35_000);
    await settled();
    expect(model.link).toBe('server-gone');
    jest.advanceTimersByTime(1000);
    await settled();
    // This try hangs as well, and so does the one by hand.
    expect(server.asked).toHaveLength(asked + 2);
    jest.advanceTimersByTime(2000);
    void model.refresh();
    await settled();
    expect(server.asked).toHaveLength(asked + 3);
    expect(model.nextTry).toBeNull();
    server.hangs = false;
    jest.advanceTimersByTime(2000);
    void model.refresh();
    await settled();
    expect(model.link).toBe('ok');
    jest.advanceTimersByTime(35_000);
    await settled();
    expect(model.link).toBe('ok');
  });

  it('does not ask on and on when the login has run out, only when one comes back', async () => {
    jest.useFakeTimers();
    const refused = { status: 403, body: { message: 'Forbidden' } };
    server.replies.set('GET snapshot', refused);
    model.watch(true);
    await settled();
    expect(model.link).toBe('logged-out');
    expect(model.nextTry).toBeNull();
    const asked = server.asked.length;
    jest.advanceTimersByTime(300_000);
    await settled();
    expect(server.asked).toHaveLength(asked);
    server.replies.set('GET snapshot', snapshot({}));
    show('visible');
    await settled();
    expect(model.link).toBe('ok');
  });
});
