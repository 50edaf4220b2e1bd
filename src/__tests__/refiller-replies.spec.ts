import { FilledNotebook, Request, settled, text } from './filled';

const one = (state: string) => ({ execution: 'one', state });

describe('a cell whose own request has replied', () => {
  let notebook: FilledNotebook;
  let request: Request;

  beforeEach(async () => {
    notebook = await FilledNotebook.create();
    notebook.model.said.set('one', { outputs: [text('a\nb\n')] });
    await notebook.open();
    request = new Request(notebook.view, 'msg-one');
    await notebook.list(['one', { state: 'running' }]);
    notebook.cell.outputs.add(text('[gpu] joined the kernel\n', 'stderr'));
    notebook.cell.outputs.add(text('a\n'));
    expect(notebook.shows).toEqual(one('partial'));
  });

  afterEach(() => notebook.dispose());

  const ended = () => {
    const said = { outputs: [text('a\nb\n')], outcome: 'ok' };
    notebook.model.said.set('one', said);
    notebook.model.listed = [];
    notebook.model.ran('one');
  };

  it('is left alone while the server is asked, and where all has come', async () => {
    notebook.cell.outputs.add(text('b\n'));
    const before = notebook.outputs;
    let answer: () => void = () => undefined;
    const held = new Promise<void>(resolve => (answer = resolve));
    notebook.model.executions.mockImplementationOnce(async () => {
      await held;
      return notebook.model.listed;
    });
    await request.end();
    // Something else lets it decide, by the list that is old.
    notebook.panel.content.model!.sharedModel.insertCell(1, {
      cell_type: 'code',
      source: ''
    });
    await settled();
    expect(notebook.model.outputs).not.toHaveBeenCalled();
    ended();
    answer();
    await settled();
    expect(notebook.outputs).toEqual(before);
    expect(notebook.note).toBeNull();
    expect(notebook.shows).toEqual(one('complete'));
    expect(notebook.model.outputs).toHaveBeenCalledTimes(1);
  });

  it('is filled where something was lost on the way', async () => {
    ended();
    await request.end();
    expect(notebook.outputs).toEqual([text('a\nb\n')]);
    expect(notebook.note).not.toBeNull();
    expect(notebook.shows).toEqual(one('complete'));
  });

  it('is left alone where the log was trimmed since', async () => {
    ended();
    const said = { outputs: [text('[missing]\\n')], outcome: 'ok', gaps: true };
    notebook.model.said.set('one', said);
    await request.end();
    expect(notebook.note).toBeNull();
    expect(notebook.shows).toEqual(one('complete'));
    expect(notebook.refiller.offers.list).toEqual([]);
  });

  it('goes on where control was given back, and its note says the ways back', async () => {
    await request.end('error', 'Control is back. `%gpu attach 0123` shows it.');
    expect(notebook.outputs).toEqual([text('a\nb\n')]);
    expect(notebook.shows).toEqual(one('partial'));
    const told = 'Control is back. `%gpu attach 0123` shows it';
    expect(notebook.note?.textContent).toContain(told);
    ended();
    await notebook.refiller.check();
    await notebook.later();
    expect(notebook.shows).toEqual(one('complete'));
    expect(notebook.note?.textContent).not.toContain('Control is back');
  });
});

describe('a cell whose own request never replies', () => {
  let notebook: FilledNotebook;
  let now = 5000;

  beforeEach(async () => {
    now = 5000;
    notebook = await FilledNotebook.create();
    notebook.model.now = () => now;
    const said = { outputs: [text('a\nb\n')], outcome: 'ok' };
    notebook.model.said.set('one', said);
    await notebook.open();
    new Request(notebook.view, 'msg-one');
    await notebook.list(['one', { state: 'running' }]);
    await notebook.list(['one']);
  });

  afterEach(() => notebook.dispose());

  it('is filled when nothing has come for a while after the end', async () => {
    now += 9;
    await notebook.refiller.check();
    expect(notebook.outputs).toEqual([]);
    now += 2;
    await notebook.refiller.check();
    await settled();
    expect(notebook.outputs).toEqual([text('a\nb\n')]);
    expect(notebook.shows).toEqual(one('complete'));
  });

  it('is left alone while something comes', async () => {
    now += 9;
    notebook.cell.outputs.add(text('a\n'));
    await notebook.refiller.check();
    now += 2;
    await notebook.refiller.check();
    await settled();
    expect(notebook.outputs).toEqual([text('a\n')]);
    expect(notebook.shows).toEqual(one('partial'));
  });
});
