import type { INotebookContent } from '@jupyterlab/nbformat';

/** A notebook whose only cell runs on the pod. */
export function notebookOf(fields: object = {}): INotebookContent {
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {},
    cells: [
      {
        cell_type: 'code',
        id: 'a',
        source: '%%gpu\nx',
        metadata: {},
        outputs: [],
        execution_count: null,
        ...fields
      }
    ]
  };
}
