import { Notification } from '@jupyterlab/apputils';
import { act } from 'react';
import * as React from 'react';
import { createRoot } from 'react-dom/client';
import type { Root } from 'react-dom/client';

import type { IActions } from '../components/context';
import { Panel } from '../components/Panel';
import { parseSnapshot } from '../parse';
import { AddedError, RequestError } from '../request';
import type { Link } from '../tokens';
import { fakeActions } from './fake-actions';
import { pod } from './server';

(
  globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }
).IS_REACT_ACT_ENVIRONMENT = true;

describe('the panel on its way to the server', () => {
  let host: HTMLElement;
  let root: Root;
  let actions: jest.Mocked<IActions>;

  beforeEach(() => {
    host = document.createElement('div');
    document.body.append(host);
    root = createRoot(host);
    actions = fakeActions();
  });

  afterEach(() => {
    act(() => root.unmount());
    host.remove();
    Notification.dismiss();
  });

  const show = async (pods: unknown[] | null, link: Link, reason = '') => {
    const view = {
      pods: pods && parseSnapshot({ pods }).pods,
      active: [],
      offers: [],
      link: { link, reason, since: 0, nextTry: null, mismatch: null },
      folds: {},
      visible: true
    };
    await act(async () => {
      root.render(<Panel view={view} actions={actions} onFold={jest.fn()} />);
      await Promise.resolve();
    });
  };
  const press = async (name: string) => {
    const found = [...host.querySelectorAll('button')].find(
      each => (each.getAttribute('aria-label') ?? each.textContent) === name
    );
    await act(async () => {
      found!.click();
      await Promise.resolve();
    });
  };
  const said = () => host.querySelector('[role=status]')?.textContent;
  const told = () => Notification.manager.notifications.map(n => n.message);
  const type = (text: string) => {
    const input = host.querySelector('input')!;
    const { set } = Object.getOwnPropertyDescriptor(
      HTMLInputElement.prototype,
      'value'
    ) as { set: (this: unknown, value: string) => void };
    act(() => {
      set.call(input, text);
      input.dispatchEvent(new Event('input', { bubbles: true }));
    });
  };

  it('leads to the login when it has run out', async () => {
    await show([pod()], 'logged-out', 'Forbidden');
    expect(host.textContent).toContain('You are not logged in to the Jupyter');
    expect(host.textContent).not.toContain('Forbidden');
    expect(host.textContent).not.toContain('Try now');
    await press('Reload the page');
    expect(actions.reloadPage).toHaveBeenCalledTimes(1);
  });

  it('has a sentence for an answer that nobody understands', async () => {
    await show(null, 'trouble');
    expect(host.textContent).toContain('The Jupyter server has answered');
  });

  it('says each state of it once, its return too', async () => {
    await show(null, 'unknown');
    await show([pod()], 'ok');
    expect(said()).toBe('');
    for (const [link, words] of [
      ['server-gone', 'The Jupyter server does not answer'],
      ['no-extension', 'does not have its part'],
      ['version', 'Why.'],
      ['trouble', 'Why.'],
      ['logged-out', 'not logged in'],
      ['ok', 'The Jupyter server answers again']
    ] as const) {
      await show([pod()], link, 'Why.');
      expect(said()).toContain(words);
      const region = host.querySelector('[role=status]')!;
      const observer = new MutationObserver(() => undefined);
      observer.observe(region, { subtree: true, characterData: true });
      await show([pod()], link, 'Why, in other words.');
      expect(observer.takeRecords()).toEqual([]);
      observer.disconnect();
    }
    await show([pod({ state: 'failed' })], 'ok');
    expect(said()).toBe('runpod-4090: It did not work');
  });

  it('says that there is no server before it knows of a pod', async () => {
    await show(null, 'unknown');
    await show(null, 'server-gone');
    expect(said()).toBe('The Jupyter server does not answer');
  });

  it('tells what went wrong with a pod that has made room for itself', async () => {
    let fail: (reason: Error) => void = () => undefined;
    actions.addPod.mockReturnValue(new Promise((_, no) => (fail = no)));
    await show([], 'ok');
    type('ssh a');
    await press('Connect');
    await show([pod({ state: 'disconnected' })], 'ok');
    await act(async () => {
      fail(new Error('It cannot be connected.'));
      await Promise.resolve();
    });
    expect(told()).toEqual(['It cannot be connected.']);
  });

  it.each([
    ['the first pod', []],
    ['another pod', [pod({ state: 'disconnected' })]]
  ])('does not add %s twice', async (_, pods) => {
    await show(pods, 'ok');
    if (pods.length > 0) {
      await press('Add a pod');
    }
    type('ssh a');
    actions.addPod.mockRejectedValueOnce(
      new AddedError(new RequestError('refused', 'No link.', 'network'))
    );
    const form = host.querySelector('form')!;
    await act(async () => {
      form.requestSubmit();
      await Promise.resolve();
    });
    expect(told()).toEqual(['No link.']);
    expect(form.isConnected).toBe(pods.length === 0);
    await act(async () => {
      form.requestSubmit();
      await Promise.resolve();
    });
    expect(actions.addPod).toHaveBeenCalledTimes(1);
  });
});
