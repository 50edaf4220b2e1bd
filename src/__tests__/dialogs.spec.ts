import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';

import { excerpt, tell, tellError } from '../dialogs';

const trans = nullTranslator.load('jupyter_remote_gpu');
const COMMAND = '`jupyter remote-gpu remove runpod-4090`';

describe('what is told', () => {
  const shown = () => Notification.manager.notifications[0];

  afterEach(() => {
    Notification.dismiss();
  });

  it('is told as it is where it has room', () => {
    const actions = [{ label: 'Show', callback: jest.fn() }];
    tell('info', 'x'.repeat(140), trans, { autoClose: 5000, actions });
    expect(shown().options).toMatchObject({ autoClose: 5000, actions });
  });

  it('leads to all of it where JupyterLab would cut it', async () => {
    tellError(new Error(`${'why '.repeat(40)} ${COMMAND}`), trans);
    const { type, options } = shown();
    expect([type, options.autoClose]).toEqual(['error', false]);
    const action = options.actions!.find(({ label }) => label === 'Show all')!;
    const event = new MouseEvent('click', { cancelable: true });
    action.callback(event);
    await Promise.resolve();
    const dialog = document.querySelector('.jp-Dialog');
    expect(dialog?.textContent).toContain(COMMAND);
    // The notification stays: the command is yet to be run.
    expect(event.defaultPrevented).toBe(true);
    dialog?.querySelector('button')?.click();
  });

  it.each([
    ['x'.repeat(50), 50],
    ['x'.repeat(51), 50]
  ])('an excerpt of %s has %i characters', (text, length) => {
    expect(excerpt(text)).toHaveLength(length);
  });
});
