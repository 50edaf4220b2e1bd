import type { CodeCell, ICodeCellModel } from '@jupyterlab/cells';
import type { IOutput } from '@jupyterlab/nbformat';
import type { PartialJSONObject } from '@lumino/coreutils';

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
  const { execution, state, asked } = shows;
  const known = showsOf(model);
  // A fallback (the pod's word) may be told otherwise later: which one it is does not change.
  const isSame = known?.execution === execution && known.state === state;
  if (!isSame || (known.asked === undefined && asked)) {
    const at = asked ?? (known?.execution === execution ? known.asked : null);
    model.setMetadata(KEY, { execution, state, ...(at ? { asked: at } : {}) });
  }
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
