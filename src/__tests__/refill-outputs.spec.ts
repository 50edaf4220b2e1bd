import type { IOutput } from '@jupyterlab/nbformat';
import type { ICodeCellModel } from '@jupyterlab/cells';
import { NotebookModel } from '@jupyterlab/notebook';
import { YNotebook } from '@jupyter/ydoc';

import { Outputs, folded } from '../refill/outputs';
import { notebookOf } from './notebooks';

const text = (value: string, name = 'stdout'): IOutput => ({
  output_type: 'stream',
  name,
  text: value
});
const picture = (value: string): IOutput => ({
  output_type: 'display_data',
  data: { 'text/plain': value },
  metadata: {}
});

describe('the outputs of a cell that is filled', () => {
  let shared: YNotebook;
  let model: NotebookModel;
  let cell: ICodeCellModel;
  let outputs: Outputs;
  /** How much was written to the document, as those who share it are told. */
  let sent = 0;

  const open = (shown: IOutput[] = [], isWide = false) => {
    shared = new YNotebook({ disableDocumentWideUndoRedo: !isWide });
    model = new NotebookModel({ sharedModel: shared });
    model.fromJSON(notebookOf({ outputs: shown, execution_count: 1 }));
    cell = model.cells.get(0) as ICodeCellModel;
    outputs = new Outputs(cell);
    sent = 0;
    shared.ydoc.on('update', (update: Uint8Array) => (sent += update.length));
  };
  /** What the page shows, which is what is saved too. */
  const shown = () => {
    const { outputs: saved } = cell.toJSON() as { outputs?: unknown };
    expect(saved).toEqual(cell.outputs.toJSON());
    return cell.outputs.toJSON();
  };

  afterEach(() => model.dispose());

  it('are those of a live cell where a bar of text goes on', () => {
    open();
    outputs.write([text(' 10%\r 20%', 'stderr')]);
    expect(shown()).toEqual([text(' 20%', 'stderr')]);
    outputs.write([text(' 10%\r 20%\r 30%\r', 'stderr')]);
    expect(shown()).toEqual([text(' 30%', 'stderr')]);
    outputs.write([text(' 10%\r 20%\r 30%\r 40\b5%', 'stderr')]);
    expect(shown()).toEqual([text(' 45%', 'stderr')]);
    outputs.write([text(' 10%\r 20%\r 30%\r 40\b5%\r100%\n', 'stderr')]);
    expect(shown()).toEqual([text('100%\n', 'stderr')]);
  });

  it('are found to be there as the notebook was saved, and go on', () => {
    open([text('a\n'), text(' 20%', 'stderr')]);
    const told = [text('a\n'), text(' 10%\r 20%', 'stderr')];
    expect(outputs.write(told)).toBe(false);
    expect(sent).toBe(0);
    told[1] = text(' 10%\r 20%\r100%\n', 'stderr');
    expect(outputs.write(told)).toBe(true);
    expect(shown()).toEqual([text('a\n'), text('100%\n', 'stderr')]);
    expect(outputs.write(told)).toBe(false);
  });

  it('are written whole where all frames of a bar were saved', () => {
    open([text(''), picture('p')]);
    cell.outputs.set(0, text(' 10%\r 20%\r', 'stderr'));
    const told = [text(' 10%\r 20%\r', 'stderr'), picture('p')];
    expect(outputs.write(told)).toBe(true);
    expect(shown()).toEqual([text(' 20%', 'stderr'), picture('p')]);
  });

  it('are drawn anew only where they differ', () => {
    open();
    outputs.write([text('a'), picture('p'), text('b')]);
    const [first, second, third] = [0, 1, 2].map(i => cell.outputs.get(i));
    outputs.write([text('a'), picture('q'), text('bc'), picture('r')]);
    expect(shown()).toEqual([
      text('a'),
      picture('q'),
      text('bc'),
      picture('r')
    ]);
    expect([0, 2].map(i => cell.outputs.get(i))).toEqual([first, third]);
    expect(cell.outputs.get(1)).not.toBe(second);
    outputs.write([text('a'), picture('q'), text('bc'), picture('r')]);
    const again = cell.outputs.get(1);
    outputs.write(
      [text('a'), picture('q'), text('bc'), picture('r')],
      output => output.output_type === 'display_data'
    );
    expect(cell.outputs.get(1)).not.toBe(again);
    expect(cell.outputs.get(0)).toBe(first);
  });

  it('cost a shared document no more than what is new', () => {
    open();
    const long = 'line\n'.repeat(5000);
    outputs.write([text(long)]);
    sent = 0;
    outputs.write([text(`${long}more\n`)]);
    expect(sent).toBeLessThan(200);
    expect(shown()).toEqual([text(`${long}more\n`)]);
  });

  it.each([
    ['a bar', ' 10% |#   |', ' 99% |### |', ' 99% |### |'],
    ['its end, and more', ' 10%', '100%\nmore\n', '100%\nmore\n'],
    ['a cursor that went back', ' 10%\r', ' 20%\r', ' 20%'],
    ['a cursor in mid-line', 'abcd\rab', 'abxd\rabx', 'abxd'],
    ['a line that became shorter', 'abcd', 'a', 'a'],
    ['one of which something was deleted', 'abc', 'ab\b', 'a'],
    ['one after a cursor that went back', 'abcd\rx', 'ab', 'ab']
  ])('of which the last line alone is new: %s', (_, before, after, last) => {
    open();
    const long = 'line\n'.repeat(5000);
    outputs.write([text(`${long}${before}`)]);
    const model = cell.outputs.get(0);
    sent = 0;
    outputs.write([text(`${long}${after}`)]);
    expect(shown()).toEqual([text(`${long}${last}`)]);
    const isWhole = last.length < 3;
    expect(cell.outputs.get(0) === model).toBe(!isWhole);
    expect(sent < 200).toBe(!isWhole);
    // What comes then is written where the cursor is.
    outputs.write([text(`${long}${last}\nmore`)]);
    expect(shown()).toEqual([text(`${long}${last}\nmore`)]);
  });

  it.each([false, true])(
    'are shown as they are saved, undo by document: %j',
    isWide => {
      open([], isWide);
      outputs.write([text('a')]);
      outputs.write([text('ab'), picture('p')]);
      outputs.write([text('ab'), picture('q'), text('c')]);
      outputs.write([text('ab'), picture('q'), text('c\rd')]);
      expect(shown()).toEqual([text('ab'), picture('q'), text('d')]);
    }
  );

  it('become right again where something else was written between', () => {
    open();
    outputs.write([text('a')]);
    cell.outputs.add(text('b', 'stderr'));
    outputs.write([text('a'), text('c', 'stderr')]);
    expect(shown()).toEqual([text('a'), text('c', 'stderr')]);
    cell.outputs.add(text('c', 'stderr'));
    outputs.write([text('a'), text('cd', 'stderr')]);
    expect(shown()).toEqual([text('a'), text('cd', 'stderr')]);
  });

  it('stay where the page waits to clear them', () => {
    open([text('a')]);
    cell.outputs.clear(true);
    outputs.write([text('a'), picture('p')]);
    expect(shown()).toEqual([text('a'), picture('p')]);
    outputs.write([text('a'), picture('p'), text('b')]);
    cell.outputs.clear(true);
    outputs.write([text('a'), picture('p'), text('bc')]);
    expect(shown()).toEqual([text('a'), picture('p'), text('bc')]);
  });

  it('stay also where only a text goes on', () => {
    open();
    outputs.write([text('a')]);
    cell.outputs.clear(true);
    outputs.write([text('ab')]);
    expect(shown()).toEqual([text('ab')]);
  });

  it('become fewer when they were cleared', () => {
    open();
    outputs.write([text('a'), picture('p')]);
    outputs.write([text('b')]);
    expect(shown()).toEqual([text('b')]);
    outputs.write([]);
    expect(shown()).toEqual([]);
    outputs.write([text('c')]);
    expect(shown()).toEqual([text('c')]);
  });

  it('are folded as one text where streams follow each other', () => {
    const lines = { ...text(''), text: ['a\n', ' 10%'] } as IOutput;
    expect(folded([lines, text('\r 20%'), text('e', 'stderr')])).toEqual([
      text('a\n 20%'),
      text('e', 'stderr')
    ]);
  });
});
