import { Clipboard, Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';

import { Actions } from '../actions';
import { parseExecution, parseKernels, parsePod } from '../parse';
import type { IRemoteGPU } from '../tokens';
import type { IPlacedExecution } from '../types';
import { execution, pod } from './server';

const POD = parsePod(pod())!;
const KERNEL = parseKernels({
  kernels: [{ id: 'k', pod: 'runpod-4090', notebook: '/w/a.ipynb' }]
}).kernels[0];
const RUNS: IPlacedExecution = {
  ...parseExecution(execution())!,
  pod: 'runpod-4090',
  kernel: 'k',
  linked: true
};

/** What waits for promises, dialogs too, has had its turn. */
const settled = () => new Promise(resolve => setTimeout(resolve, 20));

describe('the actions', () => {
  const model = {
    removePod: jest.fn(),
    restartKernel: jest.fn(),
    stopKernel: jest.fn(),
    log: jest.fn(),
    interrupt: jest.fn(),
    connect: jest.fn(),
    startDemo: jest.fn(),
    refusedKeys: jest.fn()
  };
  const actions = new Actions(
    model as unknown as IRemoteGPU,
    nullTranslator.load('jupyter_remote_gpu'),
    jest.fn()
  );
  const copied = jest.spyOn(Clipboard, 'copyToSystem').mockImplementation();
  const told = () => Notification.manager.notifications.map(n => n.message);
  const dialog = () => document.querySelector('.jp-Dialog');
  const press = async (name: string) => {
    await settled();
    const found = [...(dialog()?.querySelectorAll('button') ?? [])].find(
      each => each.textContent === name
    );
    if (!found) {
      throw new Error(`no button ${name} in ${String(dialog()?.textContent)}`);
    }
    found.click();
    await settled();
  };

  beforeEach(() => jest.clearAllMocks());
  afterEach(() => {
    Notification.dismiss();
    expect(dialog()).toBeNull();
  });

  it('remove a pod only when the user is sure', async () => {
    actions.remove(POD);
    await press('Cancel');
    expect(model.removePod).not.toHaveBeenCalled();
    model.removePod.mockResolvedValue(null);
    actions.remove(POD);
    await press('Remove');
    expect(model.removePod).toHaveBeenCalledWith('runpod-4090');
    expect(dialog()).toBeNull();
  });

  it('say which key of ours is left on a pod that was removed', async () => {
    model.removePod.mockResolvedValue('ssh-ed25519 AAAA ours');
    actions.remove(POD);
    await press('Remove');
    expect(dialog()?.textContent).toContain('A key of ours is still on');
    expect(dialog()?.textContent).toContain('ssh-ed25519 AAAA ours');
    await press('Close');
  });

  it.each([
    ['restart', 'Restart', 'restartKernel'],
    ['stop', 'Stop', 'stopKernel']
  ] as const)('%s a kernel once it is confirmed', async (act, label, asked) => {
    const refused = actions[act](KERNEL);
    await press('Cancel');
    await expect(refused).resolves.toBe(false);
    expect(model[asked]).not.toHaveBeenCalled();
    const done = actions[act](KERNEL);
    await settled();
    expect(dialog()?.textContent).toContain('the kernel of a.ipynb?');
    await press(label);
    await expect(done).resolves.toBe(true);
    expect(model[asked]).toHaveBeenCalledWith('runpod-4090', 'k');
  });

  it('tell why a kernel could not be restarted', async () => {
    model.restartKernel.mockRejectedValue(new Error('The pod is away.'));
    const done = actions.restart(KERNEL);
    await press('Restart');
    await expect(done).resolves.toBe(false);
    expect(told()).toEqual(['The pod is away.']);
  });

  it('show the log as text', async () => {
    model.log.mockResolvedValue(['10:00 <b>connected</b>', '10:01 lost']);
    actions.showLog('runpod-4090');
    await settled();
    expect(dialog()?.querySelector('pre')?.textContent).toBe(
      '10:00 <b>connected</b>\n10:01 lost'
    );
    await press('Close');
  });

  it.each([
    [null, /^The link is down: .* is interrupted when it is back\.$/],
    [false, /does not run any more/]
  ])('interrupt, and tell where it was %s', async (done, words) => {
    model.interrupt.mockResolvedValue(done);
    actions.interrupt({ ...RUNS, code: 'x'.repeat(300) });
    await settled();
    expect(told()).toEqual([expect.stringMatching(words)]);
    // All of it is seen.
    expect(told()[0].length).toBeLessThan(141);
  });

  it('interrupt, and say nothing where it was done', async () => {
    model.interrupt.mockResolvedValue(true);
    actions.interrupt(RUNS);
    await settled();
    expect(model.interrupt).toHaveBeenCalledWith(RUNS.id);
    expect(told()).toEqual([]);
  });

  it('copy the key that was refused', async () => {
    const key = { name: '~/.ssh/id_rsa', public: 'ssh-rsa AAAA me' };
    model.refusedKeys.mockResolvedValue([key]);
    actions.copyKey('runpod-4090');
    await settled();
    expect(copied).toHaveBeenCalledWith('ssh-rsa AAAA me');
    expect(told()).toEqual(['The public half of ~/.ssh/id_rsa is copied.']);
  });

  it('ask which key, where several were refused', async () => {
    const keys = ['one', 'two'].map(name => ({ name, public: `key ${name}` }));
    model.refusedKeys.mockResolvedValue(keys);
    actions.copyKey('runpod-4090');
    await settled();
    const select = dialog()!.querySelector('select')!;
    select.value = 'two';
    await press('Copy');
    expect(copied).toHaveBeenCalledWith('key two');
    actions.copyKey('runpod-4090');
    await press('Cancel');
    expect(copied).toHaveBeenCalledTimes(1);
  });

  it('copy nothing where no key was refused', async () => {
    model.refusedKeys.mockResolvedValue([]);
    actions.copyKey('runpod-4090');
    await settled();
    expect(copied).not.toHaveBeenCalled();
    expect(told()).toEqual([expect.stringContaining('refused no key')]);
  });

  it('start the demo pod again, or tell why not', async () => {
    model.startDemo.mockRejectedValue(new Error('There is no sshd here.'));
    actions.startDemoAgain();
    await settled();
    expect(told()).toEqual(['There is no sshd here.']);
  });
});
