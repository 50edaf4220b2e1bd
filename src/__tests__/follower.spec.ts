import type { ICodeCellModel } from '@jupyterlab/cells';

import { parseExecution } from '../parse';
import { Follower } from '../refill/follower';
import type { IRemoteGPU } from '../tokens';
import { FakeModel } from './fake-model';
import { FilledNotebook, settled, text } from './filled';

describe('how often a cell that runs is asked for', () => {
  const model = new FakeModel();
  let follower: Follower;
  let pauses: number[];
  let isSeen: boolean;

  const follow = async () => {
    void follower.run();
    await settled();
  };

  beforeEach(() => {
    isSeen = true;
    pauses = [];
    model.outputs.mockClear();
    const later = window.setTimeout;
    jest.spyOn(window, 'setTimeout').mockImplementation(((
      run: () => void,
      ms = 0
    ) => {
      if (ms > 0) {
        pauses.push(ms / 1000);
      }
      return later(run, ms);
    }) as never);
    follower = new Follower(
      parseExecution({ id: 'one', code: 'x' })!,
      {} as ICodeCellModel,
      {
        model: model as unknown as IRemoteGPU,
        isSeen: () => isSeen,
        show: () => Promise.resolve(true),
        onOver: () => undefined
      }
    );
  });

  afterEach(() => {
    follower.stop();
    jest.restoreAllMocks();
  });

  it.each([
    ['little', 1, true, 1],
    ['little, and nobody looks', 1, false, 10],
    ['5 MB', 5e6, true, 5],
    ['5 MB, and nobody looks', 5e6, false, 10],
    ['50 MB', 5e7, true, 30]
  ])('depends on what it has said: %s', async (_, size, seen, seconds) => {
    isSeen = seen;
    model.said.set('one', { outputs: [text('a'.repeat(size))] });
    await follow();
    expect(pauses.map(Math.floor)).toEqual([seconds]);
    // Nothing is told where nothing changed.
    model.outputs.mockResolvedValueOnce(null);
    document.dispatchEvent(new Event('visibilitychange'));
    await settled();
    expect(pauses.map(Math.floor)).toEqual([seconds, seen ? 1 : 10]);
  });

  it('is once at its end, whether it waits or asks just then', async () => {
    model.said.set('one', { outputs: [text('a'.repeat(5e6))] });
    await follow();
    follower.hurry();
    await settled();
    expect(model.outputs).toHaveBeenCalledTimes(2);
    follower.hurry();
    await settled();
    expect(model.outputs).toHaveBeenCalledTimes(2);
  });

  it('is at once where the end is told while it asks', async () => {
    model.outputs.mockImplementationOnce(() => {
      follower.hurry();
      return Promise.resolve(null);
    });
    await follow();
    expect(model.outputs).toHaveBeenCalledTimes(2);
    expect(pauses).toHaveLength(1);
  });
});

it('a notebook shows the end of a cell when it is told of it', async () => {
  const notebook = await FilledNotebook.create();
  const { model } = notebook;
  model.ran('one', { state: 'running' });
  model.said.set('one', { outputs: [text('a')] });
  await notebook.open();
  model.said.set('one', { outputs: [text('ab')], outcome: 'ok' });
  await notebook.list(['one']);
  expect(notebook.outputs).toEqual([text('ab')]);
  expect(notebook.shows).toMatchObject({ state: 'complete' });
  notebook.dispose();
});
