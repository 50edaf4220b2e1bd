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
    ['ok', 'success', 'is done after 1:40'],
    ['error', 'error', 'failed after 1:40'],
    ['died', 'error', 'the kernel died']
  ])('of one that ended %s', (outcome, type, words) => {
    const ended = placed({ outcome, started: 2000, ended: 2100 });
    notices.tell(ended);
    const [{ message, type: kind, options }] = shown();
    expect([kind, message]).toEqual([type, expect.stringContaining(words)]);
    options.actions?.[0].callback(new MouseEvent('click'));
    expect(show).toHaveBeenLastCalledWith(ended);
  });

  it('of one that never started: none', () => {
    notices.tell(placed({ started: null, ended: 3000, outcome: 'aborted' }));
    expect(shown()).toHaveLength(0);
  });
});
