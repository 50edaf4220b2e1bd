import { act } from 'react';
import * as React from 'react';
import { createRoot } from 'react-dom/client';
import type { Root } from 'react-dom/client';

import type { IActions } from '../components/context';
import { Panel } from '../components/Panel';
import { parseKernels, parseSnapshot } from '../parse';
import type { Link } from '../tokens';
import type { IKernelList } from '../types';
import { fakeActions } from './fake-actions';
import { pod } from './server';

(
  globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }
).IS_REACT_ACT_ENVIRONMENT = true;

describe('while the panel waits for an answer', () => {
  let host: HTMLElement;
  let elsewhere: HTMLElement;
  let root: Root;
  let actions: jest.Mocked<IActions>;

  beforeEach(() => {
    host = document.createElement('div');
    elsewhere = document.createElement('input');
    document.body.append(host, elsewhere);
    root = createRoot(host);
    actions = fakeActions();
  });

  afterEach(() => {
    act(() => root.unmount());
    host.remove();
    elsewhere.remove();
    jest.useRealTimers();
  });

  const show = (link: Link = 'ok', kernels = false) =>
    act(async () => {
      root.render(
        <Panel
          view={{
            pods: parseSnapshot({ pods: [pod()] }).pods,
            active: [],
            offers: [],
            link: { link, reason: '', since: 0, nextTry: null, mismatch: null },
            folds: { kernels },
            visible: true
          }}
          actions={actions}
          onFold={() => undefined}
        />
      );
      await Promise.resolve();
    });
  const button = (name: string) =>
    [...host.querySelectorAll('button')].find(
      each => (each.getAttribute('aria-label') ?? each.textContent) === name
    )!;
  const press = (name: string) =>
    act(async () => {
      button(name).focus();
      button(name).click();
      await Promise.resolve();
    });

  describe.each([
    ['worked', (end: IEnd) => end.resolve()],
    ['failed', (end: IEnd) => end.reject(new Error('No.'))]
  ])('for a pod, and it has %s', (_, finish) => {
    let end: IEnd;

    beforeEach(async () => {
      end = withResolvers();
      actions.startDemo.mockReturnValueOnce(end.promise);
      await show();
      await press('Add a pod');
      await press('Try with a pod on this machine');
    });

    it('whoever went on elsewhere stays there', async () => {
      elsewhere.focus();
      await act(() => rested(() => finish(end)));
      expect(document.activeElement).toBe(elsewhere);
    });

    it('whoever waits goes on in the panel', async () => {
      await act(() => rested(() => finish(end)));
      expect(host.contains(document.activeElement)).toBe(true);
      expect(document.activeElement?.tagName).toMatch(/BUTTON|INPUT/);
    });
  });

  it('for kernels, it asks no second time meanwhile', async () => {
    jest.useFakeTimers();
    actions.kernels.mockReturnValue(new Promise<IKernelList>(() => undefined));
    await show('ok', true);
    await act(() => rested(() => jest.advanceTimersByTime(100_000)));
    expect(actions.kernels).toHaveBeenCalledTimes(1);
  });

  it('for the end of a kernel, that is not asked for again', async () => {
    const row = { id: 'k', pod: 'p', alive: true, notebook: '/w/n.ipynb' };
    actions.kernels.mockResolvedValue(parseKernels({ kernels: [row] }));
    const end = withResolvers();
    actions.restart.mockReturnValueOnce(end.promise.then(() => true));
    await show('ok', true);
    const names = ['Restart', 'Stop'].map(
      each => `${each} the kernel of n.ipynb…`
    );
    const off = () =>
      names.map(name => button(name).getAttribute('aria-disabled'));
    expect(off()).toEqual(['false', 'false']);
    for (const name of [names[0], ...names]) {
      await press(name);
    }
    expect(off()).toEqual(['true', 'true']);
    expect(actions.restart).toHaveBeenCalledTimes(1);
    expect(actions.stop).not.toHaveBeenCalled();
    await act(() => rested(() => end.resolve()));
    await act(() => rested(() => undefined));
    expect(off()).toEqual(['false', 'false']);
    expect(actions.kernels).toHaveBeenCalledTimes(2);
  });

  it('for the server, it asks for kernels when that is back', async () => {
    actions.kernels.mockRejectedValueOnce(new Error('It does not answer.'));
    await show('ok', true);
    expect(host.textContent).toContain('It does not answer.');
    await show('server-gone', true);
    expect(actions.kernels).toHaveBeenCalledTimes(1);
    await show('ok', true);
    expect(actions.kernels).toHaveBeenCalledTimes(2);
    expect(host.textContent).not.toContain('It does not answer.');
  });
});

interface IEnd {
  promise: Promise<void>;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** Do it, and let what it has begun go on. */
async function rested(work: () => void): Promise<void> {
  work();
  await Promise.resolve();
}

function withResolvers(): IEnd {
  const made = {} as IEnd;
  made.promise = new Promise((resolve, reject) => {
    Object.assign(made, { resolve, reject });
  });
  return made;
}
