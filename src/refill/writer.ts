import type { CodeCell, ICodeCellModel } from '@jupyterlab/cells';
import type { IOutput } from '@jupyterlab/nbformat';
import type { PartialJSONObject, PartialJSONValue } from '@lumino/coreutils';
import { JSONExt } from '@lumino/coreutils';

import type { IShows } from './rule';
import { KEY, parseShows } from './rule';

/** What a cell showed before it was filled. */
export interface IBefore {
  readonly outputs: IOutput[];
  readonly count: number | null;
}

export function before(model: ICodeCellModel): IBefore {
  return { outputs: model.outputs.toJSON(), count: model.executionCount };
}

export function showsOf(model: ICodeCellModel): IShows | null {
  return parseShows(model.getMetadata(KEY));
}

/** Say which execution a cell shows; it is saved with the notebook. */
export function setShows(model: ICodeCellModel, shows: IShows): void {
  const known = showsOf(model);
  if (known?.execution !== shows.execution || known.state !== shows.state) {
    model.setMetadata(KEY, { ...shows });
  }
}

/**
 * Bring a cell's outputs to `wanted`. What is there already is not drawn anew.
 *
 * @param again - Whether an output that is the same has to be drawn anew.
 * @returns Whether another output is shown now.
 */
export function write(
  { outputs }: ICodeCellModel,
  wanted: readonly IOutput[],
  again: (output: IOutput) => boolean = () => false
): boolean {
  const values = wanted.map(plain);
  const shown = outputs.toJSON();
  const goesOn =
    shown.length <= values.length &&
    shown.every((output, index) => isKind(output, values[index]));
  let changed = false;
  if (goesOn) {
    values.forEach((value, index) => {
      const isNew =
        index >= shown.length || !JSONExt.deepEqual(shown[index], value);
      changed ||= isNew;
      if (index >= shown.length) {
        outputs.add(value);
      } else if (isNew || again(value)) {
        outputs.set(index, value);
      }
    });
    return changed;
  }
  // Not `remove`: Lab takes the wrong ones out of the document.
  outputs.fromJSON(values);
  return true;
}

/** Whether `write` has nothing to do. */
export function isWritten(
  { outputs }: ICodeCellModel,
  wanted: readonly IOutput[]
): boolean {
  return JSONExt.deepEqual(outputs.toJSON(), wanted.map(plain));
}

/** The number in front of a cell, or that it runs. */
export function setPrompt(
  model: ICodeCellModel,
  widgets: readonly CodeCell[],
  count: number | null,
  busy: boolean
): void {
  if (model.executionCount !== count) {
    model.executionCount = count;
  }
  if ('executionState' in model) {
    const state = busy ? 'running' : 'idle';
    if (model.executionState !== state) {
      model.executionState = state;
    }
  } else {
    // JupyterLab before 4.4; the names there are the same.
    const prompt = busy ? '*' : String(count ?? '');
    widgets.forEach(cell => cell.setPrompt(prompt));
  }
}

type Widgets = Record<string, PartialJSONObject>;

/** A notebook's `metadata.widgets` with newer models in it. */
export function mergeWidgets(
  old: unknown,
  newer: PartialJSONObject
): PartialJSONObject {
  const whole = { ...(isObject(old) ? old : {}) } as Widgets;
  for (const [kind, value] of Object.entries(newer as Widgets)) {
    const known = whole[kind];
    const both =
      isObject(known) &&
      isObject(known.state) &&
      isObject(value.state) &&
      known.version_major === value.version_major;
    whole[kind] = both
      ? {
          ...known,
          ...value,
          state: {
            ...(known.state as PartialJSONObject),
            ...(value.state as PartialJSONObject)
          }
        }
      : value;
  }
  return whole;
}

export function isObject(value: unknown): value is PartialJSONObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** As the document has it: the text of a stream is one string. */
function plain(output: IOutput): IOutput {
  const text: PartialJSONValue | undefined = output.text;
  return output.output_type === 'stream' && Array.isArray(text)
    ? { ...output, text: text.join('') }
    : output;
}

function isKind(a: IOutput, b: IOutput): boolean {
  return a.output_type === b.output_type && a.name === b.name;
}
