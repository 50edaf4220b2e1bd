import type { NotebookPanel } from '@jupyterlab/notebook';
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { KEY } from '../refill/rule';
import { Sharing } from '../refill/sharing';
import { FilledNotebook, settled, text } from './filled';

type States = Map<number, Record<string, unknown>>;

/** The awareness of a document, as y-protocols has it. */
class FakeAwareness {
  readonly clientID = 5;
  readonly states: States = new Map([[5, { user: { name: 'me' } }]]);
  handlers = new Set<() => void>();
  getStates = () => this.states;
  setLocalStateField = jest.fn();
  on = (_: string, handler: () => void) => this.handlers.add(handler);
  off = (_: string, handler: () => void) => this.handlers.delete(handler);
  set(id: number, state: Record<string, unknown> | null): void {
    if (state) {
      this.states.set(id, state);
    } else {
      this.states.delete(id);
    }
    this.handlers.forEach(handler => handler());
  }
}

/** What a page says of itself. */
const page = (visible: boolean, ...cells: string[]) => ({
  user: { name: 'me too' },
  remote_gpu: { cells, visible }
});

/** Whether the browser's tab is seen. */
function see(is: boolean): void {
  jest
    .spyOn(document, 'visibilityState', 'get')
    .mockReturnValue(is ? 'visible' : 'hidden');
  document.dispatchEvent(new Event('visibilitychange'));
}

describe('a document that pages share', () => {
  let awareness: FakeAwareness;
  let panel: NotebookPanel;
  const onChanged = jest.fn();
  const share = (collaborative: boolean) => {
    const context = { model: { collaborative, sharedModel: { awareness } } };
    panel = { context, isVisible: true } as unknown as NotebookPanel;
    return new Sharing(panel, onChanged);
  };
  const told = () => awareness.setLocalStateField.mock.calls as unknown[];

  beforeEach(() => {
    awareness = new FakeAwareness();
    onChanged.mockClear();
  });

  afterEach(() => jest.restoreAllMocks());

  it('is written by the lowest id of those that have our code', () => {
    const sharing = share(true);
    awareness.set(1, {});
    awareness.set(2, { user: { name: 'of another front end' } });
    expect(sharing.isOurs).toBe(true);
    awareness.set(9, page(true));
    expect(sharing.isOurs).toBe(true);
    awareness.set(3, page(true));
    expect(sharing.isOurs).toBe(false);
  });

  it('is written by one at which somebody looks, if there is any', async () => {
    const sharing = share(true);
    awareness.set(3, page(false));
    expect(sharing.isOurs).toBe(true);
    see(false);
    expect(sharing.isOurs).toBe(false);
    awareness.set(3, null);
    awareness.set(9, page(false));
    expect(sharing.isOurs).toBe(true);
    onChanged.mockClear();
    awareness.set(9, page(true));
    expect(sharing.isOurs).toBe(false);
    expect(onChanged).toHaveBeenCalledTimes(1);
    see(true);
    expect(sharing.isOurs).toBe(true);
    // Another tab of JupyterLab's is in front.
    Object.assign(panel, { isVisible: false });
    MessageLoop.sendMessage(panel, Widget.Msg.AfterHide);
    await Promise.resolve();
    expect(sharing.isOurs).toBe(false);
    const says = [true, true, false, false, true, false];
    expect(told()).toEqual(
      says.map(visible => ['remote_gpu', { cells: [], visible }])
    );
    sharing.dispose();
    see(false);
    MessageLoop.sendMessage(panel, Widget.Msg.AfterShow);
    await Promise.resolve();
    expect(told()).toHaveLength(says.length);
  });

  it('is left to the page whose request delivers, until that is gone', () => {
    const sharing = share(true);
    awareness.set(9, page(true, 'a'));
    expect(onChanged).toHaveBeenCalledTimes(1);
    expect([sharing.isServed('a'), sharing.isServed('b')]).toEqual([
      true,
      false
    ]);
    awareness.set(9, { ...page(true, 'a'), cursors: [1] });
    expect(onChanged).toHaveBeenCalledTimes(1);
    awareness.set(9, null);
    expect(onChanged).toHaveBeenCalledTimes(2);
    expect(sharing.isServed('a')).toBe(false);
    sharing.dispose();
    expect(awareness.handlers.size).toBe(0);
  });

  it('is told once what this page delivers', () => {
    const sharing = share(true);
    sharing.tell([]);
    sharing.tell(['a']);
    sharing.tell(['a']);
    expect(told()).toEqual([
      ['remote_gpu', { cells: [], visible: true }],
      ['remote_gpu', { cells: ['a'], visible: true }]
    ]);
  });

  it('is told again to a page that comes', () => {
    const sharing = share(true);
    sharing.tell(['a']);
    const before = told().length;
    awareness.set(1, { user: { name: 'of another front end' } });
    expect(told()).toHaveLength(before);
    const says = ['remote_gpu', { cells: ['a'], visible: true }];
    awareness.set(9, page(true));
    expect(told().slice(before)).toEqual([says]);
    // Not to one that is known: they would answer each other for ever.
    awareness.set(9, page(true, 'b'));
    expect(told().slice(before)).toEqual([says]);
    awareness.set(9, null);
    awareness.set(9, page(true));
    expect(told().slice(before)).toEqual([says, says]);
  });

  it('is ours alone without collaboration', () => {
    const sharing = share(false);
    awareness.set(1, page(true, 'a'));
    sharing.tell(['a']);
    see(false);
    expect([sharing.isOurs, sharing.isServed('a')]).toEqual([true, false]);
    expect(told()).toEqual([]);
  });
});

describe('a cell of a document that pages share', () => {
  let awareness: FakeAwareness;
  let notebook: FilledNotebook;

  beforeEach(async () => {
    awareness = new FakeAwareness();
    notebook = await FilledNotebook.create();
    const { model } = notebook.panel.context;
    Object.defineProperty(model, 'collaborative', { value: true });
    Object.defineProperty(model.sharedModel, 'awareness', {
      value: Object.assign(awareness, { destroy: () => undefined })
    });
    notebook.model.ran('one', { state: 'running' });
    notebook.model.said.set('one', { outputs: [text('a')] });
    await notebook.open();
  });

  afterEach(() => notebook.dispose());

  it('is left in the middle to one that comes with a lower id, and taken up again', async () => {
    const { model } = notebook;
    awareness.set(2, page(true));
    await settled();
    const asked = model.outputs.mock.calls.length;
    model.said.set('one', { outputs: [text('ab')] });
    await notebook.later();
    expect(model.outputs).toHaveBeenCalledTimes(asked);
    expect(notebook.outputs).toEqual([text('a')]);
    expect(notebook.cell.executionState).toBe('running');
    awareness.set(2, null);
    await settled();
    expect(notebook.outputs).toEqual([text('ab')]);
  });

  it.each([
    ['run anew', { execution: 'two', state: 'complete' }, [text('new')]],
    ['cleared', { execution: 'one', state: 'replaced' }, []]
  ])(
    'has no note, nor its Undo, once another page has %s it',
    async (_, shows, outputs) => {
      const { model, cell } = notebook;
      model.said.set('one', { outputs: [text('ab')], outcome: 'ok' });
      await notebook.list(['one']);
      expect(notebook.note).not.toBeNull();
      cell.outputs.fromJSON(outputs);
      cell.setMetadata(KEY, shows);
      if (shows.execution === 'two') {
        model.ran('two', { requested: 2000 });
      }
      await notebook.refiller.check();
      await settled();
      expect(notebook.note).toBeNull();
      expect(notebook.outputs).toEqual(outputs);
    }
  );

  it('is not written to where that page came while this one asked', async () => {
    const { model } = notebook;
    let answer: () => void = () => undefined;
    const outputs = model.outputs.getMockImplementation()!;
    model.outputs.mockImplementationOnce(async id => {
      await new Promise<void>(resolve => (answer = resolve));
      return outputs(id);
    });
    model.said.set('one', { outputs: [text('ab')] });
    await notebook.later();
    // As if no one had told yet that it changed.
    awareness.states.set(2, page(true));
    answer();
    await settled();
    expect(notebook.outputs).toEqual([text('a')]);
    expect(notebook.cell.executionState).toBe('running');
  });
});
