import { RequestError } from '../request';
import { parseExecution } from '../parse';
import { KEY } from '../refill/rule';
import { FilledNotebook, Request, settled, text } from './filled';

const OLD = [text('newer, of another notebook')];

describe('a cell that shows a run which the list does not have', () => {
  let notebook: FilledNotebook;

  beforeEach(async () => {
    notebook = await FilledNotebook.create();
    notebook.model.ran('one');
    notebook.model.said.set('one', { outputs: [text('a')], outcome: 'ok' });
  });

  afterEach(() => notebook.dispose());

  const open = (more: Record<string, unknown> = {}) =>
    notebook.open({
      metadata: { [KEY]: { execution: 'other', state: 'complete', ...more } },
      outputs: OLD
    });
  const offered = () =>
    notebook.refiller.offers.list.map(({ execution, reason }) => [
      execution.id,
      reason
    ]);
  const other = (fields: Record<string, unknown>) =>
    parseExecution({ id: 'other', code: 'x', ...fields });

  it('keeps it where it says that it is newer', async () => {
    await open({ asked: 2000 });
    expect(notebook.outputs).toEqual(OLD);
    expect(notebook.model.execution).not.toHaveBeenCalled();
    expect(offered()).toEqual([]);
  });

  it('keeps it where the server knows that it is newer', async () => {
    const meta = { cell: 'a', notebook: '/copy.ipynb', asked: 2000 };
    notebook.model.execution.mockResolvedValue(other({ meta }));
    await open();
    expect(notebook.outputs).toEqual(OLD);
    expect(offered()).toEqual([]);
    await notebook.refiller.check();
    expect(notebook.model.execution).toHaveBeenCalledTimes(1);
  });

  it('is filled where the server knows that it is older', async () => {
    notebook.model.execution.mockResolvedValue(other({ requested: 10 }));
    await open();
    expect(notebook.outputs).toEqual([text('a')]);
    expect(notebook.cell.getMetadata(KEY)).toEqual({
      execution: 'one',
      state: 'complete',
      asked: 1000
    });
  });

  it('keeps it, with an offer, where nobody knows', async () => {
    notebook.model.execution.mockRejectedValue(
      new RequestError('refused', '', 'not-found', 404)
    );
    await open();
    expect(notebook.outputs).toEqual(OLD);
    expect(offered()).toEqual([['one', 'other']]);
  });

  it('keeps what nbclient wrote since, by its note', async () => {
    const input = new Date(1001e3).toISOString();
    await notebook.open({
      metadata: {
        [KEY]: { execution: 'one', state: 'partial', asked: 1000 },
        execution: { 'iopub.execute_input': input }
      },
      outputs: OLD
    });
    expect(notebook.outputs).toEqual(OLD);
  });
});

describe('a long cell that was edited near its end', () => {
  it('is offered, and the server is asked once', async () => {
    const notebook = await FilledNotebook.create();
    const long = 'y = 1\n'.repeat(100);
    notebook.model.ran('one', { code: long.slice(0, 300) });
    const said = { code: `${long}z`, outputs: [text('a')], outcome: 'ok' };
    notebook.model.said.set('one', said);
    await notebook.open({ source: `%%gpu\n${long}edited` });
    await notebook.refiller.check();
    await new Promise(resolve => setTimeout(resolve, 1200));
    await settled();
    expect(notebook.model.outputs).toHaveBeenCalledTimes(1);
    expect(notebook.outputs).toEqual([]);
    expect(notebook.refiller.offers.list.map(({ reason }) => reason)).toEqual([
      'text'
    ]);
    // As it was, it takes it.
    notebook.cell.sharedModel.setSource(`%%gpu\n${long}z`);
    await notebook.refiller.check();
    await settled();
    expect(notebook.outputs).toEqual([text('a')]);
    notebook.dispose();
  });
});

describe('a cell that is cleared before the list has come', () => {
  it('stays so', async () => {
    const notebook = await FilledNotebook.create();
    notebook.model.said.set('one', { outputs: [text('a')], outcome: 'ok' });
    let answer: () => void = () => undefined;
    const held = new Promise<void>(resolve => (answer = resolve));
    notebook.model.executions.mockImplementation(async () => {
      await held;
      return notebook.model.listed;
    });
    notebook.model.ran('one');
    await notebook.open({ outputs: [text('old')] });
    notebook.cell.outputs.clear();
    notebook.refiller.cleared(notebook.cell);
    answer();
    await settled();
    expect(notebook.outputs).toEqual([]);
    expect(notebook.shows).toEqual({ execution: 'one', state: 'replaced' });
    // What is run afterwards is another matter.
    notebook.model.said.set('two', { outputs: [text('b')] });
    await notebook.list(['one'], ['two', { requested: 6000 }]);
    expect(notebook.outputs).toEqual([text('b')]);
    notebook.dispose();
  });
});

describe('a run of which some was dropped', () => {
  it.each([
    [
      'is offered where the cell has more',
      'a longer text\n',
      'a longer text\n'
    ],
    ['is filled in where it has not', '', '[missing]\nt\n']
  ])('%s', async (_, shown, expected) => {
    const notebook = await FilledNotebook.create();
    notebook.model.ran('one');
    const outputs = [text('[missing]\nt\n')];
    notebook.model.said.set('one', { outputs, outcome: 'ok', gaps: true });
    await notebook.open({
      metadata: { [KEY]: { execution: 'one', state: 'partial' } },
      outputs: shown ? [text(shown)] : []
    });
    expect(notebook.outputs).toEqual([text(expected)]);
    expect(notebook.refiller.offers.list.map(({ reason }) => reason)).toEqual(
      shown ? ['gaps'] : []
    );
    notebook.dispose();
  });
});

describe('an output that was taken back', () => {
  it('is offered when it is over, also after a reload', async () => {
    const notebook = await FilledNotebook.create();
    notebook.model.said.set('one', { outputs: [text('a')] });
    notebook.model.ran('one', { state: 'running' });
    await notebook.open();
    expect(notebook.outputs).toEqual([text('a')]);
    notebook.note!.querySelector('button')!.click();
    await settled();
    expect(notebook.outputs).toEqual([]);
    expect(notebook.shows).toEqual({ execution: 'one', state: 'undone' });
    expect(notebook.refiller.offers.list).toEqual([]);
    const said = { outputs: [text('ab')], outcome: 'ok' };
    notebook.model.said.set('one', said);
    await notebook.list(['one']);
    expect(notebook.outputs).toEqual([]);
    await notebook.serve();
    const [offer] = notebook.refiller.offers.list;
    expect([offer.execution.id, offer.reason]).toEqual(['one', 'undone']);
    expect(await notebook.refiller.offers.insert('one')).toBe(1);
    await notebook.refiller.check();
    expect(notebook.refiller.offers.list).toEqual([]);
    new Request(notebook.view, 'msg-two');
    notebook.refiller.scheduled(notebook.cell);
    expect(notebook.shows).toEqual({ execution: 'one', state: 'replaced' });
    notebook.dispose();
  });
});
