import type { ICodeCellModel } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import {
  NBTestUtils,
  initNotebookContext
} from '@jupyterlab/notebook/lib/testutils';
import { ServiceManagerMock } from '@jupyterlab/services/lib/testutils';
import { nullTranslator } from '@jupyterlab/translation';

import { Refiller } from '../refill/refiller';
import { KEY } from '../refill/rule';
import type { IRemoteGPU } from '../tokens';
import { FakeModel } from './fake-model';

const settled = async () => {
  for (let i = 0; i < 20; i++) {
    await new Promise(resolve => setTimeout(resolve, 0));
  }
};
const SAID = [{ output_type: 'stream', name: 'stdout', text: 'said' }];

describe('what is offered', () => {
  let model: FakeModel;
  let panel: NotebookPanel;
  let refiller: Refiller | null = null;
  let changes = 0;

  const cells = () =>
    [...panel.content.model!.cells].map(cell => {
      const { execution_count, source, metadata, outputs } =
        cell.toJSON() as Record<string, unknown>;
      return { execution_count, source, metadata, outputs };
    });
  const offered = () =>
    refiller!.offers.list.map(({ execution, reason }) => [
      execution.id,
      reason
    ]);
  const serve = async () => {
    refiller?.dispose();
    refiller = new Refiller({
      panel,
      model: model as unknown as IRemoteGPU,
      trans: nullTranslator.load('jupyter_remote_gpu'),
      open: () => [],
      views: () => [panel],
      onOffers: () => changes++
    });
    await settled();
  };
  /** It remembers the cells `y` and `z`. */
  const open = async (...sources: string[]) => {
    panel.content.model!.fromJSON({
      nbformat: 4,
      nbformat_minor: 5,
      metadata: { [KEY]: { gone: ['y', 'z'] } },
      cells: sources.map((source, i) => ({
        cell_type: 'code',
        id: 'abc'[i],
        source,
        metadata: {},
        outputs: [],
        execution_count: null
      }))
    });
    await serve();
  };
  const ran = (id: string, fields: Record<string, unknown> = {}) => {
    model.ran(id, fields);
    model.said.set(id, {
      code: 'x',
      outputs: SAID,
      execution_count: 7,
      outcome: 'ok'
    });
  };

  beforeEach(async () => {
    changes = 0;
    model = new FakeModel();
    panel = NBTestUtils.createNotebookPanel(
      await initNotebookContext({ manager: new ServiceManagerMock() })
    );
  });

  afterEach(() => {
    refiller?.dispose();
    refiller = null;
    panel.context.dispose();
    panel.dispose();
  });

  it('is put below the cell that was edited, once', async () => {
    ran('e1');
    await open('%%gpu\ny', '1');
    expect(offered()).toEqual([['e1', 'text']]);
    expect(changes).toBe(1);
    expect(await refiller!.offers.insert('e1')).toBe(1);
    expect(cells()).toEqual([
      { source: '%%gpu\ny', metadata: {}, outputs: [], execution_count: null },
      {
        source: '%%gpu\nx',
        metadata: {
          [KEY]: { execution: 'e1', state: 'complete', asked: 1000 }
        },
        outputs: SAID,
        execution_count: 7
      },
      { source: '1', metadata: {}, outputs: [], execution_count: null }
    ]);
    expect(offered()).toEqual([]);
    expect(await refiller!.offers.insert('e1')).toBeNull();
    await serve();
    expect(offered()).toEqual([]);
  });

  it('is put at the end where its cell is gone, and can be undone', async () => {
    ran('e1', { meta: { cell: 'z' } });
    await open('%%gpu\ny');
    expect(offered()).toEqual([['e1', 'gone']]);
    panel.content.model!.sharedModel.clearUndoHistory();
    expect(await refiller!.offers.insert('e1')).toBe(1);
    expect(cells()).toHaveLength(2);
    panel.content.model!.sharedModel.undo();
    expect(cells()).toHaveLength(1);
  });

  it('is put there as a live cell has it', async () => {
    ran('e1', { meta: { cell: 'z' } });
    const bar = { output_type: 'stream', name: 'stderr', text: ' 10%\r100%' };
    model.said.set('e1', { code: 'x', outputs: [bar], outcome: 'ok' });
    await open('%%gpu\ny');
    await refiller!.offers.insert('e1');
    expect(cells()[1].outputs).toEqual([{ ...bar, text: '100%' }]);
  });

  it('leaves the trust of the notebook as it is', async () => {
    ran('e1', { meta: { cell: 'z' } });
    ran('e2', { meta: { cell: 'y' } });
    await open('%%gpu\ny');
    const get = (index: number) =>
      panel.content.model!.cells.get(index) as ICodeCellModel;
    await refiller!.offers.insert('e1');
    expect(get(1).trusted).toBe(false);
    get(0).trusted = get(1).trusted = true;
    await refiller!.offers.insert('e2');
    expect(get(2).trusted).toBe(true);
  });

  it('is nothing that runs, or that is dismissed, also when it is opened again', async () => {
    ran('e1', { meta: { cell: 'z' }, state: 'running' });
    ran('e2', { meta: { cell: 'y' } });
    await open('%%gpu\ny');
    expect(offered()).toEqual([['e2', 'gone']]);
    refiller!.offers.dismiss('e2');
    expect(offered()).toEqual([]);
    await serve();
    expect(offered()).toEqual([]);
    expect(panel.content.model!.getMetadata(KEY)).toEqual({
      gone: ['y', 'z'],
      dismissed: ['e2']
    });
  });

  it('says so where cells have other ids each time', async () => {
    ran('e1', { meta: { cell: 'z' } });
    await open('%%gpu\ny');
    const shared: { nbformat_minor: number } = panel.content.model!.sharedModel;
    shared.nbformat_minor = 4;
    await serve();
    expect(offered()).toEqual([['e1', 'no-ids']]);
  });

  it('is not what a cell had shown that was deleted then', async () => {
    ran('e1');
    await open('%%gpu\nx', '1');
    expect(cells()[0].outputs).toEqual(SAID);
    panel.content.model!.sharedModel.deleteCell(0);
    await settled();
    expect(offered()).toEqual([]);
    await serve();
    expect(offered()).toEqual([]);
  });

  it('is what a cell had not shown that was deleted', async () => {
    ran('e1', { state: 'running' });
    model.said.set('e1', { code: 'x', outputs: [], outcome: null });
    await open('%%gpu\nx', '%%gpu\ny');
    panel.content.model!.sharedModel.deleteCell(0);
    model.listed.length = 0;
    ran('e1');
    await refiller!.check();
    expect(offered()).toEqual([['e1', 'gone']]);
    // The page knew it; from now on the notebook does.
    await serve();
    expect(offered()).toEqual([['e1', 'gone']]);
  });

  it('is not what an older notebook of that path ran', async () => {
    ran('e1', { meta: { cell: 'old' } });
    await open('%%gpu\ny');
    expect(offered()).toEqual([]);
  });

  it('is what ran in the same local kernel as a cell that there is', async () => {
    ran('e1', { meta: { cell: 'lost', local_kernel: 'K' } });
    ran('e2', { meta: { cell: 'a', local_kernel: 'K' } });
    await open('%%gpu\nx');
    expect(offered()).toEqual([['e1', 'gone']]);
  });
});
