import { KEY } from '../refill/rule';
import { FilledNotebook, text } from './filled';

const bar = (frames: string) => [text(frames, 'stderr')];

describe('a bar of text in a cell that is filled', () => {
  let notebook: FilledNotebook;

  beforeEach(async () => {
    notebook = await FilledNotebook.create();
  });

  afterEach(() => notebook.dispose());

  it('has one line from its beginning to its end', async () => {
    const { model } = notebook;
    model.ran('one', { state: 'running' });
    model.said.set('one', { outputs: bar(' 10%\r 20%') });
    await notebook.open();
    const seen = [notebook.outputs];
    model.said.set('one', { outputs: bar(' 10%\r 20%\r 30%\r 40%') });
    await notebook.later();
    seen.push(notebook.outputs);
    const frames = ' 10%\r 20%\r 30%\r 40%\r100%\n';
    model.said.set('one', { outputs: bar(frames), outcome: 'ok' });
    await notebook.later();
    seen.push(notebook.outputs);
    expect(seen).toEqual([bar(' 20%'), bar(' 40%'), bar('100%\n')]);
    const { textContent } = notebook.view.outputArea.node;
    expect(textContent).toContain('100%');
    expect(textContent).not.toContain(' 40%');
  });

  it('is left alone where the cell shows it at its end', async () => {
    const { model } = notebook;
    model.ran('one');
    model.said.set('one', { outputs: bar(' 10%\r100%\n'), outcome: 'ok' });
    await notebook.open({
      outputs: bar('100%\n'),
      metadata: { [KEY]: { execution: 'one', state: 'partial' } }
    });
    expect(notebook.outputs).toEqual(bar('100%\n'));
    expect(notebook.shows).toEqual({ execution: 'one', state: 'complete' });
    expect(notebook.note).toBeNull();
  });
});
