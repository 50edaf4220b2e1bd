import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';

import { Widgets, unpacked } from '../refill/widgets';
import { mergeWidgets } from '../refill/writer';

const STATE = 'application/vnd.jupyter.widget-state+json';
const VIEW = 'application/vnd.jupyter.widget-view+json';

const entry = (value: number, more: object = {}) => ({
  model_name: 'IntProgressModel',
  model_module: '@jupyter-widgets/controls',
  model_module_version: '2.0.0',
  state: { value },
  ...more
});
const body = (state: Record<string, object>) => ({
  [STATE]: { version_major: 2, version_minor: 0, state } as never
});

/** A page's widget manager, whose models wait for each other as the real ones do. */
class Manager {
  readonly models = new Map<string, Promise<{ set_state: jest.Mock }>>();
  readonly made: [string, unknown][] = [];
  readonly set_state = jest.fn();
  readonly live: string[] = [];
  restoredStatus = true;

  has_model = (id: string) => this.models.has(id);
  get_model = (id: string) =>
    this.models.get(id) ?? Promise.reject(new Error('widget model not found'));

  new_model({ model_id }: { model_id: string }, state: { other?: string }) {
    const model = (async () => {
      await Promise.resolve();
      if (state.other) {
        await this.get_model(state.other);
      }
      this.made.push([model_id, state]);
      const { live, set_state } = this;
      return {
        set_state,
        set comm_live(is: boolean) {
          live.push(`${model_id} ${is}`);
        }
      };
    })();
    this.models.set(model_id, model);
    return model;
  }
}

function page(manager: unknown): IRenderMimeRegistry {
  return {
    mimeTypes: [VIEW],
    createRenderer: () => ({
      _manager: { promise: Promise.resolve(manager) },
      dispose: () => undefined
    })
  } as unknown as IRenderMimeRegistry;
}

describe('the widgets of a refill', () => {
  it('are made together, for they refer to each other', async () => {
    const manager = new Manager();
    const made = await new Widgets(page(manager)).restore(
      body({
        box: entry(0, { state: { other: 'bar' } }),
        bar: entry(3)
      })
    );
    expect([...made!].sort()).toEqual(['bar', 'box']);
    expect(manager.made.map(([id]) => id).sort()).toEqual(['bar', 'box']);
  });

  it('have no sign of a broken link, unless they take input', async () => {
    const manager = new Manager();
    const widgets = new Widgets(page(manager));
    const slider = entry(1, { model_name: 'IntSliderModel' });
    await widgets.restore(body({ bar: entry(3), slider }));
    expect(manager.live).toEqual(['bar true']);
    // A page's manager says of all that the kernel is gone when it is restarted.
    await widgets.restore(body({ bar: entry(4), slider }));
    expect(manager.live).toEqual(['bar true', 'bar true']);
  });

  it('are brought to their newest state, once', async () => {
    const manager = new Manager();
    const widgets = new Widgets(page(manager));
    await widgets.restore(body({ bar: entry(3) }));
    expect((await widgets.restore(body({ bar: entry(4) })))?.size).toBe(0);
    await widgets.restore(body({ bar: entry(4) }));
    expect(manager.set_state.mock.calls).toEqual([[{ value: 4 }]]);
    expect(manager.made).toEqual([['bar', { value: 3 }]]);
  });

  it('are drawn anew where the kernel has opened them anew', async () => {
    const manager = new Manager();
    const widgets = new Widgets(page(manager));
    await widgets.restore(body({ bar: entry(3), box: entry(0) }));
    await manager.new_model({ model_id: 'bar' }, {});
    const anew = await widgets.restore(body({ bar: entry(3), box: entry(0) }));
    expect([...anew!]).toEqual(['bar']);
    // It was opened with what the kernel knew: ours may be newer.
    expect(manager.set_state.mock.calls).toEqual([[{ value: 3 }]]);
    const after = await widgets.restore(body({ bar: entry(3), box: entry(0) }));
    expect(after!.size).toBe(0);
    // Also one that the page had before it was restored from here.
    await manager.new_model({ model_id: 'live' }, {});
    await widgets.restore(body({ live: entry(1) }));
    await manager.new_model({ model_id: 'live' }, {});
    const live = await widgets.restore(body({ live: entry(1) }));
    expect([...live!]).toEqual(['live']);
  });

  it.each([
    [{}, 1],
    [{ view: Promise.resolve() }, 0]
  ])('are drawn where nothing of the page shows them: %j', async (views, n) => {
    const manager = new Manager();
    const model = { set_state: jest.fn(), views };
    manager.models.set('bar', Promise.resolve(model));
    const widgets = new Widgets(page(manager));
    const first = await widgets.restore(body({ bar: entry(3) }));
    expect(first!.size).toBe(n);
    // Text in a notebook that is not trusted has no view, and is not drawn again and again.
    const second = await widgets.restore(body({ bar: entry(4) }));
    expect(second!.size).toBe(0);
    expect(model.set_state).toHaveBeenCalledTimes(2);
  });

  it.each([null, {}, { has_model: () => false }])(
    'are left to the saved notebook where the manager is %j',
    async manager => {
      const made = await new Widgets(page(manager)).restore(
        body({ bar: entry(3) })
      );
      expect(made).toBeNull();
    }
  );

  it('of which one cannot be made do not keep the others', async () => {
    const manager = new Manager();
    const lost = entry(0, { state: { other: 'nobody' } });
    const made = new Widgets(page(manager)).restore(
      body({ lost, bar: entry(3) })
    );
    await expect(made).resolves.not.toBeNull();
    expect(manager.made).toEqual([['bar', { value: 3 }]]);
  });

  it('have their buffers in their places', () => {
    const packed = entry(1, {
      state: { deep: [{}, { x: 1 }] },
      buffers: [
        { path: ['image'], encoding: 'base64', data: 'AAH/' },
        { path: ['deep', 1, 'data'], encoding: 'hex', data: '00ff' },
        { path: ['gone', 'data'], encoding: 'hex', data: '00' }
      ]
    });
    const state = unpacked(packed) as unknown as {
      image: DataView;
      deep: [object, { data: DataView }];
    };
    const bytes = (view: DataView) => [...new Uint8Array(view.buffer)];
    expect(bytes(state.image)).toEqual([0, 1, 255]);
    expect(bytes(state.deep[1].data)).toEqual([0, 255]);
    expect(packed.state).toEqual({ deep: [{}, { x: 1 }] });
  });

  it('join those that the notebook has', () => {
    const old = { other: 1, ...body({ a: entry(1), b: entry(1) }) };
    expect(mergeWidgets(old, body({ b: entry(2) }))).toEqual({
      other: 1,
      ...body({ a: entry(1), b: entry(2) })
    });
    expect(mergeWidgets(undefined, body({}))).toEqual(body({}));
  });
});
