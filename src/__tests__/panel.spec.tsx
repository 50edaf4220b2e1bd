import { act } from 'react';
import * as React from 'react';
import { createRoot } from 'react-dom/client';
import type { Root } from 'react-dom/client';

import type { IActions } from '../components/context';
import type { IPanelView } from '../components/Panel';
import { Panel } from '../components/Panel';
import { activeOf } from '../executions';
import { parseKernels, parseSnapshot } from '../parse';
import type { Link } from '../tokens';
import { fakeActions } from './fake-actions';
import { execution, kernel, pod } from './server';

(
  globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }
).IS_REACT_ACT_ENVIRONMENT = true;

describe('the panel', () => {
  let host: HTMLElement;
  let root: Root;
  let actions: jest.Mocked<IActions>;
  const onFold = jest.fn();

  beforeEach(() => {
    host = document.createElement('div');
    document.body.append(host);
    root = createRoot(host);
    actions = fakeActions();
    onFold.mockClear();
  });

  afterEach(() => {
    act(() => root.unmount());
    host.remove();
  });

  const view = (
    pods: unknown[] | null,
    link: Partial<IPanelView['link']> = {},
    folds: Record<string, boolean> = {}
  ): IPanelView => {
    const snapshot = parseSnapshot({ pods });
    return {
      pods: pods && snapshot.pods,
      active: activeOf(snapshot),
      offers: [],
      link: {
        link: 'ok',
        reason: '',
        since: Date.now(),
        nextTry: null,
        mismatch: null,
        ...link
      },
      folds,
      visible: true
    };
  };
  const show = async (shown: IPanelView) => {
    await act(async () => {
      root.render(<Panel view={shown} actions={actions} onFold={onFold} />);
      await Promise.resolve();
    });
  };
  const text = () => host.textContent;
  const button = (name: string) => {
    const found = [...host.querySelectorAll('button')].find(
      each => (each.getAttribute('aria-label') ?? each.textContent) === name
    );
    if (!found) {
      throw new Error(`no button ${name} in ${host.innerHTML}`);
    }
    return found;
  };
  const press = async (name: string) => {
    await act(async () => {
      button(name).click();
      await Promise.resolve();
    });
  };
  const said = () => host.querySelector('[role=status]')?.textContent;

  it('asks for an ssh command at first, and offers hosts', async () => {
    await show(view([]));
    expect(text()).toContain('Run cells on a rented GPU');
    const options = [...host.querySelectorAll('option')];
    expect(options.map(({ value }) => value)).toEqual(['gpu1', '<b>x</b>']);
    await press('Connect');
    expect(actions.addPod).not.toHaveBeenCalled();
    expect(host.querySelector('[role=alert]')?.textContent).toContain('Paste');
    expect(document.activeElement?.tagName).toBe('INPUT');
  });

  it('adds what was typed, and shows why it was refused', async () => {
    await show(view([]));
    const input = host.querySelector('input') as HTMLInputElement;
    const { set } = Object.getOwnPropertyDescriptor(
      HTMLInputElement.prototype,
      'value'
    ) as { set: (this: unknown, value: string) => void };
    act(() => {
      set.call(input, ' ssh a ');
      input.dispatchEvent(new Event('input', { bubbles: true }));
    });
    actions.addPod.mockRejectedValueOnce(new Error('No <i>such</i> host.'));
    await press('Connect');
    expect(actions.addPod).toHaveBeenCalledWith('ssh a');
    expect(host.querySelector('[role=alert]')?.textContent).toBe(
      'No <i>such</i> host.'
    );
    expect(input.getAttribute('aria-invalid')).toBe('true');
    await press('Try with a pod on this machine');
    expect(actions.startDemo).toHaveBeenCalled();
    expect(host.querySelector('[role=alert]')).toBeNull();
  });

  it.each([
    ['disconnected', 'Not connected', 'Connect', 'connect'],
    ['connecting', 'Connecting…', 'Cancel', 'disconnect'],
    ['preparing', 'Preparing the pod…', 'Cancel', 'disconnect'],
    ['connected', 'Connected · 38 ms', 'Disconnect', 'disconnect'],
    ['reconnecting', 'No answer for', 'Try now', 'connect'],
    ['failed', 'The key was refused.', 'Try again', 'connect']
  ] as const)('%s: %s, with %s', async (state, line, name, action) => {
    const reason = state === 'failed' ? 'The key was refused.' : null;
    await show(view([pod({ state, reason })]));
    expect(text()).toContain(line);
    await press(name);
    expect(actions[action]).toHaveBeenCalledWith('runpod-4090');
  });

  it('asks for the host key, and says what trusting it means', async () => {
    const host_key = { fingerprint: 'SHA256:abc', type: 'ssh-ed25519' };
    await show(view([pod({ state: 'host-key', host_key })]));
    expect(text()).toContain('SHA256:abc');
    expect(text()).toContain('act as you in JupyterLab');
    await press('No');
    expect(actions.disconnect).toHaveBeenCalledWith('runpod-4090');
    await press('Yes, connect');
    expect(actions.connect).toHaveBeenCalledWith('runpod-4090', 'SHA256:abc');
  });

  it('shows what runs, leads to it and interrupts it', async () => {
    await show(view([pod({ kernels: [kernel([execution()])] })]));
    expect(text()).toContain('[12] idata = pm.sample()');
    expect(text()).toContain('sampling.ipynb');
    act(() => host.querySelector<HTMLElement>('.jp-RemoteGPU-goto')?.click());
    expect(actions.show.mock.calls[0][0]).toMatchObject({ cell: 'abc' });
    await press('Interrupt idata = pm.sample()');
    expect(actions.interrupt).toHaveBeenCalledTimes(1);
  });

  it('says that output will catch up while the link is lost', async () => {
    const kernels = [kernel([execution()])];
    await show(view([pod({ state: 'reconnecting', kernels })]));
    expect(text()).toContain('Your cell runs on');
    expect(text()).toContain('Output will catch up');
  });

  it('shows what users and pods say as text', async () => {
    const html = '<img src=x onerror=alert(1)>';
    const runs = execution({ code: html, meta: { notebook: `/w/${html}` } });
    await show(
      view([
        pod({
          name: html,
          state: 'failed',
          reason: html,
          warnings: [html],
          kernels: [kernel([runs])]
        })
      ])
    );
    expect(host.querySelector('img')).toBeNull();
    expect(text()?.split(html).length).toBeGreaterThan(4);
  });

  it.each<[Link, string, string]>([
    ['server-gone', 'has not answered for 0 s', 'Try now'],
    ['no-extension', 'pip install -U jupyter-remote-gpu', 'Try now'],
    ['version', 'Upgrade the server.', 'Try now'],
    ['trouble', 'Upgrade the server.', 'Try now']
  ])('%s: says what mends it', async (link, words, name) => {
    await show(view(null, { link, reason: 'Upgrade the server.' }));
    expect(text()).toContain(words);
    await press(name);
    expect(actions.tryServer).toHaveBeenCalledTimes(1);
  });

  it('keeps what was known while the server is gone', async () => {
    await show(view([pod()], { link: 'server-gone' }));
    expect(text()).toContain('runpod-4090');
  });

  it('says which versions differ', async () => {
    await show(view([], { mismatch: { page: '1', server: '2' } }));
    await press('Reload the page');
    expect(actions.reloadPage).toHaveBeenCalled();
  });

  it('says a state once, and nothing of what was there at first', async () => {
    await show(view([pod()]));
    expect(said()).toBe('');
    await show(view([pod({ state: 'reconnecting', since: 1 })]));
    expect(said()).toBe('runpod-4090: No link; trying again');
    const region = host.querySelector('[role=status]') as HTMLElement;
    const changes = jest.fn();
    const observer = new MutationObserver(changes);
    observer.observe(region, { subtree: true, childList: true });
    observer.observe(region, { subtree: true, characterData: true });
    await show(view([pod({ state: 'reconnecting', since: 1, next_try: 9 })]));
    expect(observer.takeRecords()).toEqual([]);
    observer.disconnect();
  });

  it('says only what is new', async () => {
    const other = pod({ name: 'other' });
    await show(view([other, pod()]));
    await show(view([other, pod({ state: 'failed' })]));
    expect(said()).toBe('runpod-4090: It did not work');
  });

  it('keeps the focus on a button whose words change', async () => {
    await show(view([pod({ state: 'disconnected' })]));
    const main = button('Connect');
    main.focus();
    await show(view([pod()]));
    expect(document.activeElement).toBe(main);
    expect(main.textContent).toBe('Disconnect');
  });

  it('gives the focus to the pod when what had it goes', async () => {
    await show(view([pod({ state: 'reconnecting' })]));
    button('Try now').focus();
    await show(view([pod()]));
    expect(document.activeElement?.textContent).toBe('Disconnect');
  });

  it('folds by its headings, and tells who keeps that', async () => {
    await show(view([pod()], {}, { running: false }));
    expect(button('Running').getAttribute('aria-expanded')).toBe('false');
    expect(text()).not.toContain('Nothing runs.');
    await press('Pod');
    expect(onFold).toHaveBeenCalledWith('pods', false);
  });

  it('asks for kernels only where they are looked at', async () => {
    await show(view([pod()]));
    expect(actions.kernels).not.toHaveBeenCalled();
    await show({ ...view([pod()], {}, { kernels: true }), visible: false });
    expect(actions.kernels).not.toHaveBeenCalled();
    await show(view([pod()], {}, { kernels: true }));
    expect(actions.kernels).toHaveBeenCalledTimes(1);
  });

  it('shows 300 kernels a page at a time, those that live first', async () => {
    const rows = Array.from({ length: 300 }, (_, n) => ({
      id: `k${n}`,
      pod: 'runpod-4090',
      alive: n === 299,
      age: n,
      memory: 79e6,
      notebook: `/w/n${n}.ipynb`
    }));
    actions.kernels.mockResolvedValue(
      parseKernels({ kernels: rows, errors: { other: 'It is <away>.' } })
    );
    await show(view([pod()], {}, { kernels: true }));
    const items = () => [...host.querySelectorAll('li')];
    expect(items()).toHaveLength(20);
    expect(items()[0].textContent).toContain('n299.ipynb');
    expect(text()).toContain('other: It is <away>.');
    await press('Show more (20 of 300)');
    expect(items()).toHaveLength(40);
    await press('Stop the kernel of n299.ipynb…');
    expect(actions.stop.mock.calls[0][0]).toMatchObject({ id: 'k299' });
    expect(actions.kernels).toHaveBeenCalledTimes(2);
  });
});
