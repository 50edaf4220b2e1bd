import { act } from 'react';
import * as React from 'react';
import { createRoot } from 'react-dom/client';

import { PodCard } from '../components/PodCard';
import { parsePod } from '../parse';
import { fakeActions } from './fake-actions';
import { pod } from './server';

(
  globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }
).IS_REACT_ACT_ENVIRONMENT = true;

const DEMO = { name: 'demo', address: 'me@127.0.0.1:4022', code: 'refused' };

describe('the way on from a pod that failed', () => {
  const actions = fakeActions();
  /** The buttons beside the reason; they are pressed. */
  const offered = (fields: Record<string, unknown>) => {
    const host = document.createElement('div');
    const root = createRoot(host);
    const shown = parsePod(
      pod({ state: 'failed', reason: 'Why.', ...fields })
    )!;
    act(() =>
      root.render(<PodCard pod={shown} runs={false} actions={actions} />)
    );
    const found = [
      ...host.querySelectorAll<HTMLElement>('.jp-RemoteGPU-callout button')
    ].filter(button => button.textContent !== 'Try now');
    act(() => found.forEach(button => button.click()));
    const names = found.map(button => button.textContent);
    act(() => root.unmount());
    return names;
  };

  beforeEach(() => jest.clearAllMocks());

  it('is the key, where that was refused', () => {
    expect(offered({ code: 'key-refused' })).toEqual(['Copy public key']);
    expect(actions.copyKey).toHaveBeenCalledWith('runpod-4090');
  });

  it('is to remove it, where it is another machine', () => {
    expect(offered({ code: 'host-key-changed' })).toEqual(['Remove…']);
    expect(actions.remove.mock.calls[0][0]).toMatchObject({
      name: 'runpod-4090'
    });
  });

  it.each(['failed', 'reconnecting'])(
    'is to start it again, where the demo pod is gone: %s',
    state => {
      expect(offered({ ...DEMO, state })).toEqual(['Start it again']);
      expect(actions.startDemoAgain).toHaveBeenCalledTimes(1);
    }
  );

  it.each([
    ['another pod', { ...DEMO, name: 'other' }],
    ['a demo pod of somebody else’s', { ...DEMO, address: 'me@demo.org:22' }],
    ['one whose network is cut', { ...DEMO, code: 'timeout' }],
    ['one that does not answer', { code: 'timeout' }],
    ['one of an older server', { code: null }]
  ])('is none for %s', (_, fields) => {
    expect(offered(fields)).toEqual([]);
  });
});
