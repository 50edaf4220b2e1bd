import type { CodeCell, ICodeCellModel } from '@jupyterlab/cells';
import type { IOutput } from '@jupyterlab/nbformat';
import type { NotebookPanel } from '@jupyterlab/notebook';
import {
  NBTestUtils,
  initNotebookContext
} from '@jupyterlab/notebook/lib/testutils';
import { ServiceManagerMock } from '@jupyterlab/services/lib/testutils';
import { nullTranslator } from '@jupyterlab/translation';

import { parseExecution, parseSnapshot } from '../parse';
import { RequestError } from '../request';
import { Refiller } from '../refill/refiller';
import { KEY, parseShows } from '../refill/rule';
import type { IRemoteGPU } from '../tokens';
import { FakeModel } from './fake-model';
import { notebookOf } from './notebooks';

const text = (value: string): IOutput => ({
  output_type: 'stream',
  name: 'stdout',
  text: value
});

const settled = async () => {
  for (let i = 0; i < 20; i++) {
    await new Promise(resolve => setTimeout(resolve, 0));
  }
};

describe('the refill of a notebook', () => {
  let model: FakeModel;
  let panel: NotebookPanel;
  let refiller: Refiller | null = null;

  const cell = () => panel.content.model!.cells.get(0) as ICodeCellModel;
  const view = () => panel.content.widgets[0] as CodeCell;
  const shown = () => ({
    outputs: cell().outputs.toJSON(),
    count: cell().executionCount,
    state: cell().executionState,
    shows: parseShows({ ...cell().getMetadata(KEY), asked: null })
  });
  const note = () => view().node.querySelector('.jp-RemoteGPU-note');

  const open = async (fields: Record<string, unknown> = {}) => {
    panel.content.model!.fromJSON(notebookOf(fields));
    refiller = new Refiller({
      panel,
      model: model as unknown as IRemoteGPU,
      trans: nullTranslator.load('jupyter_remote_gpu'),
      open: () => [],
      views: () => [panel]
    });
    await settled();
  };
  /** The next question is asked now. */
  const later = async () => {
    document.dispatchEvent(new Event('visibilitychange'));
    await settled();
  };

  beforeEach(async () => {
    model = new FakeModel();
    panel = NBTestUtils.createNotebookPanel(
      await initNotebookContext({ manager: new ServiceManagerMock() })
    );
  });

  afterEach(() => {
    refiller?.dispose();
    panel.context.dispose();
    panel.dispose();
  });

  it('asks nothing where nothing is ours', async () => {
    await open({ source: 'x = 1' });
    model.changed.emit();
    await settled();
    expect(model.executions).not.toHaveBeenCalled();
  });

  it('writes what came, says so, and takes it back', async () => {
    model.ran('one');
    model.said.set('one', {
      outputs: [text('a\nb\n')],
      execution_count: 7,
      outcome: 'ok'
    });
    await open({ outputs: [text('a\n')], execution_count: 3 });
    expect(shown()).toEqual({
      outputs: [text('a\nb\n')],
      count: 7,
      state: 'idle',
      shows: { execution: 'one', state: 'complete' }
    });
    expect(cell().trusted).toBe(false);
    expect(panel.content.model!.dirty).toBe(true);
    expect(note()?.textContent).toContain('Output completed from the pod');
    await later();
    expect(model.outputs).toHaveBeenCalledTimes(1);

    note()!.querySelector('button')!.click();
    expect(shown()).toEqual({
      outputs: [text('a\n')],
      count: 3,
      state: 'idle',
      shows: { execution: 'one', state: 'undone' }
    });
    expect(note()).toBeNull();
    await refiller!.check();
    await settled();
    expect(model.outputs).toHaveBeenCalledTimes(1);
  });

  it('goes on until the end, and draws only what is new', async () => {
    model.ran('one', { state: 'running' });
    model.said.set('one', { outputs: [text('a')], execution_count: 7 });
    await open();
    expect(shown()).toMatchObject({
      count: 7,
      state: 'running',
      shows: { state: 'partial' }
    });
    const first = cell().outputs.get(0);
    const error = {
      output_type: 'error',
      ename: 'E',
      evalue: '',
      traceback: []
    };
    model.said.set('one', {
      outputs: [text('a'), error],
      execution_count: 7,
      outcome: 'error'
    });
    await later();
    expect(cell().outputs.get(0)).toBe(first);
    expect(shown()).toMatchObject({
      outputs: [text('a'), error],
      state: 'idle',
      shows: { state: 'complete' }
    });
    await later();
    expect(model.outputs).toHaveBeenCalledTimes(2);
  });

  it('only says that it is complete where nothing is missing', async () => {
    model.ran('one');
    model.said.set('one', {
      outputs: [text('a')],
      execution_count: 7,
      outcome: 'ok'
    });
    await open({ outputs: [text('a')], execution_count: 7 });
    expect(shown().shows).toEqual({ execution: 'one', state: 'complete' });
    expect(note()).toBeNull();
  });

  it('writes nothing while the page is told by its own request', async () => {
    model.ran('one', { state: 'running' });
    await open();
    refiller!.scheduled(cell());
    expect(shown().shows).toEqual({ execution: 'one', state: 'partial' });
    const asked = model.outputs.mock.calls.length;

    let end: (reply: unknown) => void = () => undefined;
    const done = new Promise(resolve => (end = resolve));
    const future = { done, msg: { header: { msg_id: 'msg-two' } } };
    Object.defineProperty(view().outputArea, 'future', {
      value: { ...future, isDisposed: false }
    });
    model.ran('two', { requested: 5000, state: 'running' });
    await refiller!.check();
    await later();
    expect(model.outputs).toHaveBeenCalledTimes(asked);
    expect(shown().shows).toEqual({ execution: 'two', state: 'partial' });

    model.listed = [];
    model.ran('two', { requested: 5000 });
    model.said.set('two', { outcome: 'ok' });
    end({ content: { status: 'ok' } });
    await settled();
    // Once it is looked whether all has come.
    expect(model.outputs).toHaveBeenCalledTimes(asked + 1);
    expect(shown().shows).toEqual({ execution: 'two', state: 'complete' });
    expect(note()).toBeNull();
  });

  it('follows what runs on after its request was given up', async () => {
    await open();
    let fail: (error: Error) => void = () => undefined;
    const done = new Promise((_, reject) => (fail = reject));
    Object.defineProperty(view().outputArea, 'future', {
      value: { done, isDisposed: false, msg: { header: { msg_id: 'msg-one' } } }
    });
    model.ran('one', { state: 'running' });
    model.said.set('one', { outputs: [text('a')] });
    await refiller!.check();
    await settled();
    expect(model.outputs).not.toHaveBeenCalled();
    fail(new Error('Canceled future'));
    await settled();
    expect(shown()).toMatchObject({ outputs: [text('a')], state: 'running' });
  });

  it('leaves what the user has cleared, also in the middle', async () => {
    model.ran('one', { state: 'running' });
    model.said.set('one', { outputs: [text('a')] });
    await open();
    cell().clearExecution();
    refiller!.cleared(cell());
    expect(note()).toBeNull();
    await later();
    expect(shown()).toMatchObject({
      outputs: [],
      state: 'idle',
      shows: { execution: 'one', state: 'replaced' }
    });
  });

  it('stops where the text is edited', async () => {
    model.ran('one', { state: 'running' });
    model.said.set('one', { outputs: [text('a')] });
    await open();
    cell().sharedModel.setSource('%%gpu\ny');
    model.said.set('one', { outputs: [text('b')] });
    await later();
    expect(shown()).toMatchObject({ outputs: [text('a')], state: 'idle' });
  });

  it('goes on when the server is back', async () => {
    model.ran('one');
    model.executions.mockRejectedValueOnce(new RequestError('server-gone', ''));
    model.outputs.mockRejectedValueOnce(new RequestError('server-gone', ''));
    model.said.set('one', { outputs: [text('a')], outcome: 'ok' });
    await open();
    expect(model.refresh).toHaveBeenCalledTimes(1);
    model.changed.emit();
    await settled();
    expect(shown().outputs).toEqual([]);
    model.changed.emit();
    await settled();
    expect(shown().outputs).toEqual([text('a')]);
  });

  it('asks again when something of the notebook began', async () => {
    await open();
    expect(model.executions).toHaveBeenCalledTimes(1);
    model.changed.emit();
    await settled();
    expect(model.executions).toHaveBeenCalledTimes(1);
    const meta = { notebook: panel.context.path, cell: 'z' };
    const executions = [{ id: 'x', meta }];
    model.snapshot = parseSnapshot({
      pods: [{ name: 'p', kernels: [{ id: 'k', executions }] }]
    });
    model.changed.emit();
    model.changed.emit();
    await settled();
    expect(model.executions).toHaveBeenCalledTimes(2);
  });

  it('asks nothing after it was closed', async () => {
    model.ran('one', { state: 'running' });
    await open();
    refiller!.dispose();
    const asked = [model.executions, model.outputs].map(
      ({ mock }) => mock.calls.length
    );
    await refiller!.check();
    model.changed.emit();
    await later();
    expect(
      [model.executions, model.outputs].map(({ mock }) => mock.calls.length)
    ).toEqual(asked);
  });

  it('follows after a rename what the document says it shows', async () => {
    const gone = parseExecution({ id: 'one', meta: { cell: 'a' }, code: 'x' });
    model.execution.mockResolvedValue(gone);
    model.said.set('one', { outputs: [text('a')], outcome: 'ok' });
    await open({ metadata: { [KEY]: { execution: 'one', state: 'partial' } } });
    expect(shown().outputs).toEqual([text('a')]);
  });
});
