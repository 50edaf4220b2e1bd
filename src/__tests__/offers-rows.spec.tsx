import { act } from 'react';
import * as React from 'react';
import { createRoot } from 'react-dom/client';
import type { Root } from 'react-dom/client';

import type { IActions } from '../components/context';
import { Offers } from '../components/Offers';
import { parseExecution } from '../parse';
import type { IOffer } from '../types';

(
  globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }
).IS_REACT_ACT_ENVIRONMENT = true;

const offer = (id: string, code: string, reason: IOffer['reason']): IOffer => ({
  execution: parseExecution({ id, code, meta: { count: 3 }, count: 3 })!,
  reason
});

describe('the rows of what is offered', () => {
  let host: HTMLElement;
  let root: Root;
  const insertOffer = jest.fn().mockResolvedValue(undefined);
  const dismissOffer = jest.fn();
  const actions = { insertOffer, dismissOffer } as unknown as IActions;

  beforeEach(() => {
    host = document.createElement('div');
    document.body.append(host);
    root = createRoot(host);
  });

  afterEach(() => {
    act(() => root.unmount());
    host.remove();
  });

  const show = (offers: readonly IOffer[]) =>
    act(() => root.render(<Offers offers={offers} actions={actions} />));
  const press = (name: string) =>
    act(async () => {
      host.querySelector<HTMLButtonElement>(`[aria-label="${name}"]`)!.click();
      await Promise.resolve();
    });

  it('say why, show code as text, and do what their buttons say', async () => {
    show([
      offer('e1', '# fit\nfit(model)', 'text'),
      offer('e2', '<b>x</b>', 'gone')
    ]);
    expect(host.textContent).toContain('[3] fit(model)');
    expect(host.textContent).toContain('Its cell was edited since');
    expect(host.textContent).toContain('<b>x</b>');
    await press('Add fit(model) as a new cell');
    expect(insertOffer).toHaveBeenCalledWith('e1');
    await press('Dismiss <b>x</b>');
    expect(dismissOffer).toHaveBeenCalledWith('e2');
  });

  it('are dismissed all at once', () => {
    dismissOffer.mockClear();
    show([offer('e1', 'x', 'undone')]);
    expect(host.textContent).not.toContain('Dismiss all');
    show([offer('e1', 'x', 'undone'), offer('e2', 'y', 'gaps')]);
    const all = [...host.querySelectorAll('button')].find(
      ({ textContent }) => textContent === 'Dismiss all'
    );
    all!.click();
    expect(dismissOffer.mock.calls).toEqual([['e1'], ['e2']]);
  });

  it('are 20 at most, and the rest is counted', () => {
    show(
      Array.from({ length: 300 }, (_, n) => offer(`e${n}`, `${n}`, 'shared-id'))
    );
    expect(host.querySelectorAll('li')).toHaveLength(20);
    expect(host.textContent).toContain('and 280 more');
  });
});
