import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { nullTranslator } from '@jupyterlab/translation';

import { goToCell } from '../navigation';
import { parseExecution } from '../parse';
import { execution } from './server';

const trans = nullTranslator.load('jupyter_remote_gpu');

describe('the way to a cell', () => {
  const execute = jest.fn().mockResolvedValue(undefined);
  const activateById = jest.fn();
  const app = {
    commands: { execute },
    shell: { activateById }
  } as unknown as JupyterFrontEnd;
  let found: NotebookPanel | undefined;
  const tracker = { find: () => found } as unknown as INotebookTracker;
  const go = (notebook: string | null) =>
    goToCell(
      app,
      tracker,
      parseExecution(execution({ meta: { notebook, cell: 'abc' } }))!,
      trans
    );
  const told = () => Notification.manager.notifications.map(n => n.message);

  beforeEach(() => {
    PageConfig.setOption('serverRoot', '/work');
    found = undefined;
    execute.mockClear();
  });
  afterEach(() => Notification.dismiss());

  it('may lead to another page, as in Notebook 7: nothing is said', async () => {
    await go('/work/sampling.ipynb');
    expect(execute).toHaveBeenCalledWith('docmanager:open', {
      path: 'sampling.ipynb'
    });
    expect(told()).toEqual([]);
  });

  it.each([
    ['/elsewhere/sampling.ipynb', 'does not lie in the folder of this server'],
    [null, 'was not run from a notebook']
  ])('of %s there is none: %s', async (notebook, words) => {
    await go(notebook);
    expect(execute).not.toHaveBeenCalled();
    expect(told()).toEqual([expect.stringContaining(words)]);
  });

  it('leads to the cell, or says that it is gone', async () => {
    const cell = { model: { id: 'abc', sharedModel: { getSource: () => '' } } };
    const content = {
      widgets: [{ ...cell, model: { ...cell.model, id: 'other' } }, cell],
      activeCellIndex: 0,
      scrollToCell: jest.fn().mockResolvedValue(undefined),
      activate: jest.fn()
    };
    found = {
      id: 'n',
      content,
      context: { ready: Promise.resolve() },
      revealed: Promise.resolve()
    } as unknown as NotebookPanel;
    await go('/work/sampling.ipynb');
    expect(activateById).toHaveBeenCalledWith('n');
    expect(content.activeCellIndex).toBe(1);
    expect(content.scrollToCell).toHaveBeenCalledWith(cell);
    expect(told()).toEqual([]);
    content.widgets.pop();
    await go('/work/sampling.ipynb');
    expect(told()).toEqual([expect.stringContaining('not in the notebook')]);
  });
});
