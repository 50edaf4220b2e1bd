import { Notification as Toasts } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';

import { Notices } from '../notices';
import { parseExecution } from '../parse';
import type { IPlacedExecution } from '../types';
import { execution } from './server';

const placed = (fields: Record<string, unknown>): IPlacedExecution => ({
  ...parseExecution(execution({ state: 'ended', outcome: 'ok', ...fields }))!,
  pod: 'p',
  kernel: 'k',
  linked: true
});

describe('notices', () => {
  const show = jest.fn();
  const notices = new Notices({
    trans: nullTranslator.load('jupyter_remote_gpu'),
    show,
    onDesktop: jest.fn()
  });
  const shown = () => Toasts.manager.notifications;

  afterEach(() => Toasts.dismiss());

  it.each([
    [59, 0],
    [60, 1]
  ])('of a cell that ran for %i s: %i', (seconds, count) => {
    notices.tell(placed({ started: 2000, ended: 2000 + seconds }));
    expect(shown()).toHaveLength(count);
  });

  it.each([
    ['ok', 'success', /^Done after 1:40: “idata/],
    ['error', 'error', /^Failed after 1:40: “idata/],
    ['died', 'error', /^The kernel ended after 1:40: “idata/]
  ])('of one that ended %s', (outcome, type, words) => {
    const ended = placed({ outcome, started: 2000, ended: 2100 });
    notices.tell(ended);
    const [{ message, type: kind, options }] = shown();
    expect([kind, message]).toEqual([type, expect.stringMatching(words)]);
    options.actions?.[0].callback(new MouseEvent('click'));
    expect(show).toHaveBeenLastCalledWith(ended);
  });

  it('of one that never started: none', () => {
    notices.tell(placed({ started: null, ended: 3000, outcome: 'aborted' }));
    expect(shown()).toHaveLength(0);
  });

  it('of one with long words: what counts is not cut', () => {
    notices.tell(
      placed({
        outcome: 'died',
        code: 'x'.repeat(200),
        started: 0,
        ended: 360_000,
        meta: { notebook: `/w/${'n'.repeat(200)}.ipynb` }
      })
    );
    const [{ message, options }] = shown();
    expect(message.length).toBeLessThan(141);
    expect(message).toContain('100:00:00');
    expect(options.actions?.map(({ label }) => label)).not.toContain(
      'Show all'
    );
  });
});

describe('notices on the desktop', () => {
  const made: FakeNotification[] = [];
  class FakeNotification {
    static permission = 'default';
    static requestPermission = jest.fn(() => Promise.resolve('granted'));
    onclick: (() => void) | null = null;
    close = jest.fn();

    constructor(
      readonly title: string,
      readonly options: { body: string; tag: string }
    ) {
      made.push(this);
    }
  }
  const page = globalThis as { Notification?: unknown };
  const focus = jest.spyOn(document, 'hasFocus');
  const show = jest.fn();
  const onDesktop = jest.fn();
  let notices: Notices;
  const ended = placed({ started: 2000, ended: 2100 });
  const offered = () =>
    Toasts.manager.notifications[0].options.actions?.find(({ label }) =>
      label.includes('desktop')
    );

  beforeEach(() => {
    page.Notification = FakeNotification;
    FakeNotification.permission = 'default';
    focus.mockReturnValue(false);
    made.length = 0;
    jest.clearAllMocks();
    const trans = nullTranslator.load('jupyter_remote_gpu');
    notices = new Notices({ trans, show, onDesktop });
  });
  afterEach(() => {
    Toasts.dismiss();
    delete page.Notification;
  });

  it('are offered, and the browser is asked at a click only', async () => {
    notices.tell(ended);
    expect(FakeNotification.requestPermission).not.toHaveBeenCalled();
    offered()?.callback(new MouseEvent('click'));
    await Promise.resolve();
    expect(onDesktop).toHaveBeenCalledTimes(1);
    expect(made).toEqual([]);
  });

  it('are not kept where the browser says no', async () => {
    FakeNotification.requestPermission.mockResolvedValueOnce('denied');
    await notices.askDesktop();
    expect(onDesktop).not.toHaveBeenCalled();
  });

  it.each([
    ['denied', false],
    ['granted', true]
  ])('%s before, wanted %s: not offered', (permission, desktop) => {
    FakeNotification.permission = permission;
    notices.desktop = desktop;
    notices.tell(ended);
    expect(offered()).toBeUndefined();
  });

  it('are offered though they are wanted, where the browser was never asked', () => {
    notices.desktop = true;
    notices.tell(ended);
    expect(offered()).toBeDefined();
  });

  it('tell once, and lead to the cell', () => {
    FakeNotification.permission = 'granted';
    notices.desktop = true;
    notices.tell(ended);
    expect(made).toHaveLength(1);
    const { options, onclick, close } = made[0];
    // The same tag in each page: the browser shows one.
    expect(options).toEqual({
      body: expect.stringMatching(/^Done after 1:40/) as string,
      tag: ended.id
    });
    jest.spyOn(window, 'focus').mockImplementation();
    onclick?.();
    expect(show).toHaveBeenCalledWith(ended);
    expect(close).toHaveBeenCalled();
  });

  it.each([
    ['the page has the focus', true, true, 'granted'],
    ['nobody wants them', false, false, 'granted'],
    ['the browser does not allow it', false, true, 'denied']
  ])('do not tell where %s', (_, focused, wanted, permission) => {
    focus.mockReturnValue(focused);
    FakeNotification.permission = permission;
    notices.desktop = wanted;
    notices.tell(ended);
    expect(made).toEqual([]);
  });

  it('do without a browser that has them', async () => {
    delete page.Notification;
    notices.desktop = true;
    notices.tell(ended);
    await notices.askDesktop();
    expect(offered()).toBeUndefined();
    expect(onDesktop).not.toHaveBeenCalled();
  });
});
