import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification as Toasts } from '@jupyterlab/apputils';
import { Signal } from '@lumino/signaling';

import { parseExecution } from '../parse';
import { notices } from '../plugins/notices';
import type { IPlacedExecution } from '../types';
import { execution } from './server';

const ENDED: IPlacedExecution = {
  ...parseExecution(execution({ state: 'ended', outcome: 'ok', ended: 2100 }))!,
  pod: 'p',
  kernel: 'k',
  linked: true
};
const ID = 'jupyter-remote-gpu:notices';

describe('the setting for notices on the desktop', () => {
  const made = jest.fn();
  class FakeNotification {
    static permission = 'granted';
    static requestPermission = () => Promise.resolve('granted');

    constructor(title: string, { body }: { body: string }) {
      made(title, body);
    }
  }
  const page = globalThis as { Notification?: unknown };
  const sender = {};
  const ended = new Signal<object, IPlacedExecution>(sender);
  const changed = new Signal<object, void>(sender);
  const set = jest.fn().mockResolvedValue(undefined);
  let wanted = false;
  const start = async (load: () => Promise<unknown>) => {
    const app = { restored: Promise.resolve(), commands: {} };
    await notices.activate(app as unknown as JupyterFrontEnd, { ended }, null, {
      load,
      set
    });
    await new Promise(resolve => setTimeout(resolve));
  };
  const settings = () =>
    Promise.resolve({ get: () => ({ composite: wanted }), changed });

  beforeEach(() => {
    page.Notification = FakeNotification;
    FakeNotification.permission = 'granted';
    jest.spyOn(document, 'hasFocus').mockReturnValue(false);
    jest.clearAllMocks();
    wanted = false;
  });
  afterEach(() => {
    delete page.Notification;
    Toasts.dismiss();
    Signal.clearData(sender);
  });

  it('is read at first, and when it is changed', async () => {
    await start(settings);
    ended.emit(ENDED);
    expect(made).not.toHaveBeenCalled();
    wanted = true;
    changed.emit();
    ended.emit(ENDED);
    expect(made).toHaveBeenCalledTimes(1);
    expect(made).toHaveBeenCalledWith(
      'Remote GPU',
      expect.stringMatching(/^Done after 1:40/)
    );
  });

  it('is kept once the user and the browser say yes, and counts at once', async () => {
    FakeNotification.permission = 'default';
    await start(settings);
    ended.emit(ENDED);
    const [{ options }] = Toasts.manager.notifications;
    options.actions?.[1].callback(new MouseEvent('click'));
    await Promise.resolve();
    expect(set).toHaveBeenCalledWith(ID, 'desktop', true);
    FakeNotification.permission = 'granted';
    ended.emit(ENDED);
    expect(made).toHaveBeenCalledTimes(1);
  });

  it('that cannot be kept says so, and counts as long as the page', async () => {
    FakeNotification.permission = 'default';
    set.mockRejectedValueOnce(new Error('The disk is full.'));
    await start(settings);
    ended.emit(ENDED);
    const [{ options }] = Toasts.manager.notifications;
    options.actions?.[1].callback(new MouseEvent('click'));
    await new Promise(resolve => setTimeout(resolve));
    const told = Toasts.manager.notifications.map(({ message }) => message);
    expect(told).toContain('The disk is full.');
    FakeNotification.permission = 'granted';
    ended.emit(ENDED);
    expect(made).toHaveBeenCalledTimes(1);
  });

  it('that cannot be read leaves the notifications in the page', async () => {
    const warn = jest.spyOn(console, 'warn').mockImplementation();
    await start(() => Promise.reject(new Error('no schema')));
    ended.emit(ENDED);
    expect(Toasts.manager.notifications).toHaveLength(1);
    expect(warn).toHaveBeenCalledTimes(1);
  });
});
