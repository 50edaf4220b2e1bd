import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';

import { LOAD, Magics } from '../magics';

type Context = Parameters<Magics['load']>[0];

/** A session whose kernel answers requests with `reply`. */
function session(reply: object, language = 'python') {
  const requestExecute = jest.fn().mockReturnValue({
    done: Promise.resolve({ content: reply })
  });
  const context = {
    session: { kernel: { name: 'k', requestExecute } },
    specsManager: { specs: { kernelspecs: { k: { language } } } },
    kernelDisplayName: 'Lab <b>'
  } as unknown as Context;
  return { context, requestExecute };
}

const shown = () => Notification.manager.notifications.map(n => n.message);

describe('the magics', () => {
  let told = '';
  const magics = new Magics(
    nullTranslator.load('jupyter_remote_gpu'),
    () => told
  );

  afterEach(() => Notification.dismiss());

  const load = async (context: Context) => {
    magics.load(context);
    await Promise.resolve();
    await Promise.resolve();
  };

  it('are asked for silently, and no cell is given up for them', async () => {
    const { context, requestExecute } = session({ status: 'ok' });
    await load(context);
    expect(requestExecute).toHaveBeenCalledTimes(1);
    const [content, disposeOnDone] = requestExecute.mock.calls[0] as unknown[];
    expect(disposeOnDone).toBe(true);
    expect(content).toEqual({
      code: LOAD,
      silent: true,
      store_history: false,
      allow_stdin: false,
      stop_on_error: false
    });
    expect(shown()).toEqual([]);
  });

  it('are loaded as the server says, once it has said so', async () => {
    told = 'the archive goes to sys.path';
    const { context, requestExecute } = session({ status: 'ok' });
    await load(context);
    told = '';
    const [content] = requestExecute.mock.calls[0] as [{ code: string }];
    expect(content.code).toBe('the archive goes to sys.path');
  });

  it.each([
    ['ModuleNotFoundError', '%pip install jupyter-remote-gpu'],
    ['NameError', 'is not an IPython kernel'],
    ['ImportError', 'ImportError: why']
  ])('that cannot be had for %s are told once: %s', async (ename, words) => {
    const reply = { status: 'error', ename, evalue: 'why' };
    const { context } = session(reply);
    await load(context);
    await load(context);
    expect(shown()).toHaveLength(1);
    expect(shown()[0]).toContain(words);
  });

  it('take the sentence away when they load', async () => {
    const reply = { status: 'error', ename: 'ModuleNotFoundError', evalue: '' };
    const { context, requestExecute } = session(reply);
    await load(context);
    requestExecute.mockReturnValue({
      done: Promise.resolve({ content: { status: 'ok' } })
    });
    await load(context);
    expect(shown()).toEqual([]);
  });

  it('are not sent to a kernel of another language', async () => {
    const { context, requestExecute } = session({ status: 'ok' }, 'R');
    await load(context);
    expect(requestExecute).not.toHaveBeenCalled();
    expect(shown()[0]).toContain('not an IPython kernel');
  });

  it('say what helps where the kernel is dead, until it is not', async () => {
    const { context, requestExecute } = session({ status: 'ok' });
    requestExecute.mockImplementationOnce(() => {
      throw new Error('Kernel is dead');
    });
    await load(context);
    expect(shown()).toHaveLength(1);
    expect(shown()[0]).toContain('restart it');
    await load(context);
    expect(shown()).toEqual([]);
  });

  it('do without a kernel', () => {
    const { context } = session({});
    expect(() => magics.load({ ...context, session: null })).not.toThrow();
  });
});
