import { parseSnapshot } from '../parse';
import { FilledNotebook, settled, text } from './filled';

const OTHER = 'folder/other.ipynb';

describe('a notebook whose local kernel ran something under another path', () => {
  let notebook: FilledNotebook;

  beforeEach(async () => {
    notebook = await FilledNotebook.create();
    notebook.model.said.set('one', { outputs: [text('a')], outcome: 'ok' });
    Object.defineProperty(notebook.panel.sessionContext, 'session', {
      value: { kernel: { id: 'K' } },
      configurable: true
    });
  });

  afterEach(() => notebook.dispose());

  const run = (cell: string) => {
    const meta = { cell, notebook: `/${OTHER}`, local_kernel: 'K' };
    const one = { id: 'one', code: 'x', requested: 1, state: 'ended', meta };
    notebook.model.snapshot = parseSnapshot({
      pods: [{ name: 'p', kernels: [{ id: 'k', executions: [one] }] }]
    });
  };
  const asked = () =>
    notebook.model.executions.mock.calls.map(([path]: unknown[]) => path);

  it('is filled after a rename', async () => {
    run('a');
    await notebook.open();
    expect(asked()).toContain(OTHER);
    expect(notebook.outputs).toEqual([text('a')]);
  });

  it('is neither filled nor offered what another open one ran', async () => {
    notebook.others.push(OTHER);
    run('a');
    await notebook.open();
    run('z');
    notebook.model.changed.emit();
    await settled();
    expect(asked()).not.toContain(OTHER);
    expect(notebook.outputs).toEqual([]);
    expect(notebook.refiller.offers.list).toEqual([]);
  });

  it('is neither filled nor offered what another page has open', async () => {
    const { sessionManager } = notebook.panel.sessionContext;
    const other = { id: 'S', path: OTHER, name: '', type: '', kernel: null };
    jest
      .spyOn(sessionManager, 'running')
      .mockImplementation(() => [other].values());
    run('a');
    await notebook.open();
    expect(asked()).not.toContain(OTHER);
    expect(notebook.outputs).toEqual([]);
  });

  it('is not offered what has no cell in it', async () => {
    run('z');
    await notebook.open();
    expect(asked()).not.toContain(OTHER);
    expect(notebook.refiller.offers.list).toEqual([]);
  });
});
