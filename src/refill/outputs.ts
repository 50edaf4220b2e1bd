import type { ICodeCellModel } from '@jupyterlab/cells';
import type { IOutput } from '@jupyterlab/nbformat';
import type { IOutputAreaModel } from '@jupyterlab/outputarea';
import { OutputAreaModel } from '@jupyterlab/outputarea';
import type { IOutputModel } from '@jupyterlab/rendermime';
import { JSONExt } from '@lumino/coreutils';

/** What moves the cursor: to the beginning of the line, and one back. */
// eslint-disable-next-line no-control-regex
const MOVES = /[\r\x08]/;

/** What was told when the outputs were written last, and what they were then. */
interface ILeft {
  readonly told: readonly IOutput[];
  readonly shown: readonly IOutput[];
  /** The last output, if it was written here: more of its text can be added to it. */
  readonly end: IOutputModel | null;
}

/** Brings the outputs of one cell to what is told of them, again and again. */
export class Outputs {
  constructor(private readonly cell: ICodeCellModel) {}

  /**
   * Bring them to `wanted`. What is there already is not drawn anew, and of a text that goes on
   * only the rest is written: all of it each second is too much for a shared document.
   *
   * @param again - Whether an output that is the same has to be drawn anew.
   * @returns Whether something else is shown now.
   */
  write(
    wanted: readonly IOutput[],
    again: (output: IOutput) => boolean = () => false
  ): boolean {
    const model = this.cell.outputs;
    const values = plain(wanted);
    const left = this._asLeft();
    const old = left?.told ?? model.toJSON();
    // To fold is slow where bars follow a long text; nothing is to be compared with an empty cell.
    const moves = values.some(
      each => isStream(each) && MOVES.test(textOf(each))
    );
    const aim = left || old.length === 0 || !moves ? values : folded(values);
    const last = old.length - 1;
    const grows = (index: number) =>
      index === last &&
      left?.end === model.get(index) &&
      !this._isWide &&
      goesOn(old[index], values[index]);
    const keeps =
      old.length <= values.length &&
      old.every(
        (output, index) =>
          JSONExt.deepEqual(output, aim[index]) ||
          (isStream(output)
            ? grows(index)
            : output.output_type === aim[index].output_type)
      );
    let changed = !keeps;
    let isWhole = keeps;
    if (keeps) {
      values.forEach((value, index) => {
        const isNew =
          index > last || !JSONExt.deepEqual(old[index], aim[index]);
        changed ||= isNew;
        if (index > last) {
          model.add(value);
        } else if (isNew && isStream(value)) {
          // Lab adds it to the last one; `set` would not work off what moves the cursor.
          model.add({ ...value, text: rest(old[index], value) ?? '' });
          isWhole = model.get(index) === left?.end;
        } else if (isNew || again(value)) {
          model.set(index, value);
        }
      });
    }
    // A `clear_output` that waited for more takes all away at the first `add`.
    isWhole &&= model.length === values.length;
    if (!isWhole) {
      // Not `remove`: Lab takes the wrong ones out of the document.
      model.fromJSON(values);
    }
    const isOurs = !isWhole || values.length > old.length;
    const end = values.length > 0 ? model.get(values.length - 1) : null;
    this._left = {
      told: values,
      shown: model.toJSON(),
      end: isOurs ? end : (left?.end ?? null)
    };
    return changed;
  }

  /** Whether the history of undo is the whole document's: Lab then shows twice what is added. */
  private get _isWide(): boolean {
    const { notebook } = this.cell.sharedModel;
    return notebook?.disableDocumentWideUndoRedo === false;
  }

  /** How it was left, unless something else was written since. */
  private _asLeft(): ILeft | null {
    const left = this._left;
    return left &&
      JSONExt.deepEqual(this.cell.outputs.toJSON(), [...left.shown])
      ? left
      : null;
  }

  private _left: ILeft | null = null;
}

/** As a document has them of a cell that was told all of it live: `\r` and `\b` are worked off. */
export function folded(outputs: readonly IOutput[]): IOutput[] {
  return taken(new OutputAreaModel({ values: plain(outputs) }));
}

function taken(model: IOutputAreaModel): IOutput[] {
  const outputs = model.toJSON();
  model.dispose();
  return outputs;
}

/** The text of a stream is one string, and streams of one name that follow each other are one. */
function plain(outputs: readonly IOutput[]): IOutput[] {
  const made: IOutput[] = [];
  for (const output of outputs) {
    const last = made.at(-1);
    if (!isStream(output)) {
      made.push(output);
    } else if (last && isStream(last) && last.name === output.name) {
      made[made.length - 1] = { ...last, text: textOf(last) + textOf(output) };
    } else {
      made.push({ ...output, text: textOf(output) });
    }
  }
  return made;
}

function isStream({ output_type }: IOutput): boolean {
  return output_type === 'stream';
}

function textOf({ text }: IOutput): string {
  return Array.isArray(text)
    ? text.join('')
    : typeof text === 'string'
      ? text
      : '';
}

function goesOn(old: IOutput, output: IOutput): boolean {
  return (
    isStream(output) && old.name === output.name && rest(old, output) !== null
  );
}

/**
 * What brings a text to another one if it is written after it; null: there is no such. Of a bar
 * that moves it is its last line, written over the one that is there.
 */
function rest(old: IOutput, output: IOutput): string | null {
  const [was, is] = [textOf(old), textOf(output)];
  if (is.startsWith(was)) {
    return is.slice(was.length);
  }
  const start = was.lastIndexOf('\n') + 1;
  const [line, tail] = [was.slice(start), is.slice(start)];
  if (!is.startsWith(was.slice(0, start)) || line.includes('\b')) {
    return null;
  }
  // What is shorter would leave the old one's end.
  const width = Math.max(...line.split('\r').map(({ length }) => length));
  return /^[^\n\r\b]*/.exec(tail)![0].length >= width ? `\r${tail}` : null;
}
