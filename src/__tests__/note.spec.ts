import type { CodeCell, ICodeCellModel } from '@jupyterlab/cells';
import type { Notebook } from '@jupyterlab/notebook';
import { OutputAreaModel } from '@jupyterlab/outputarea';
import { nullTranslator } from '@jupyterlab/translation';

import { parseExecution } from '../parse';
import { Filling } from '../refill/filling';

const widget = {
  output_type: 'display_data',
  metadata: {},
  data: {
    'application/vnd.jupyter.widget-view+json': { model_id: 'm' },
    'text/plain': 'IntProgress()'
  }
};

/** A cell that shows nothing, as far as a filling uses it. */
function cellOf(trusted: boolean): ICodeCellModel {
  return {
    trusted,
    executionCount: null,
    executionState: 'idle',
    outputs: new OutputAreaModel(),
    sharedModel: { notebook: null },
    getMetadata: () => undefined,
    setMetadata: () => undefined
  } as unknown as ICodeCellModel;
}

describe('the note at a cell that was filled', () => {
  const told = (
    trusted: boolean,
    outputs: readonly object[],
    outcome: string | null = null
  ) => {
    const execution = parseExecution({ id: 'e', code: 'x', started: 1000 })!;
    const filling = new Filling(cellOf(trusted), execution, {
      trans: nullTranslator.load('jupyter_remote_gpu'),
      notebook: { model: null } as Notebook,
      onUndo: () => undefined
    });
    const node = document.createElement('div');
    const rest = { code: 'x', count: 1, outcome, widgets: null, gaps: false };
    filling.outputs = {
      ...rest,
      execution,
      outputs: outputs as never,
      etag: null
    };
    filling.write([{ node } as unknown as CodeCell], new Set());
    return node.textContent;
  };

  it('says what to do where widgets show as text', () => {
    const text = told(false, [widget]);
    expect(text).toContain('Output from the pod, since');
    expect(text).toContain('“Trust Notebook”');
  });

  it('says no more than that where they do not', () => {
    const stream = { output_type: 'stream', name: 'stdout', text: 'a' };
    for (const text of [told(true, [widget]), told(false, [stream])]) {
      expect(text).toContain('Output from the pod, since');
      expect(text).not.toContain('Trust');
    }
  });

  it.each([
    ['ok', /from the pod, [^.]*–…Undo×$/],
    ['died', /from the pod, [^.]*–…\. The kernel endedUndo×$/],
    ['aborted', /from the pod, [^.]*–…\. The cell was taken back unrunUndo×$/]
  ])('says how an execution ended: %s', (outcome, expected) => {
    const stream = { output_type: 'stream', name: 'stdout', text: 'a' };
    expect(told(true, [stream], outcome)).toMatch(expected);
  });
});
