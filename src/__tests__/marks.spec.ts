import {
  NBTestUtils,
  initNotebookContext
} from '@jupyterlab/notebook/lib/testutils';
import { ServiceManagerMock } from '@jupyterlab/services/lib/testutils';
import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';

import { Clock } from '../clock';
import { activeOf } from '../executions';
import { Marks } from '../marks';
import { parseSnapshot } from '../parse';
import type { IRemoteGPU } from '../tokens';
import { notebookOf } from './notebooks';
import { execution, kernel, pod, settled } from './server';

it('a view that is closed marks nothing more, though another view stays', async () => {
  const context = await initNotebookContext({
    manager: new ServiceManagerMock()
  });
  const [closed, stays] = [context, context].map(each =>
    NBTestUtils.createNotebookPanel(each)
  );
  const meta = { notebook: `/${context.path}`, cell: 'a' };
  const running = kernel([execution({ meta })]);
  const model = {
    changed: new Signal<object, void>({}),
    active: activeOf(parseSnapshot({ pods: [pod({ kernels: [running] })] })),
    now: () => 2005
  } as unknown as IRemoteGPU;
  context.model.fromJSON(notebookOf());
  await settled();

  const trans = nullTranslator.load('');
  const clocks = [closed, stays].map(panel => {
    const clock = new Clock(() => 2005);
    const subscribe = jest.spyOn(clock, 'subscribe');
    new Marks(panel, model, clock, trans);
    expect(panel.node.querySelectorAll('.jp-RemoteGPU-mark')).toHaveLength(1);
    return subscribe;
  });
  closed.dispose();
  const before = clocks.map(({ mock }) => mock.calls.length);
  (context.sessionContext.kernelChanged as Signal<unknown, unknown>).emit({
    name: 'kernel',
    oldValue: null,
    newValue: null
  });
  expect(clocks.map(({ mock }) => mock.calls.length)).toEqual(before);
  expect(stays.node.querySelectorAll('.jp-RemoteGPU-mark')).toHaveLength(1);
  stays.dispose();
  context.dispose();
});
