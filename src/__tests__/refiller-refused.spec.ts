import { parseOutputs } from '../parse';
import { RequestError } from '../request';
import { FilledNotebook, settled, text } from './filled';

const refusal = (status: number, code = '') =>
  new RequestError(
    status === 404 && !code ? 'no-extension' : 'refused',
    'No.',
    code,
    status
  );

describe('a refill that is refused', () => {
  let notebook: FilledNotebook;

  beforeEach(async () => {
    notebook = await FilledNotebook.create();
    notebook.model.ran('one', { state: 'running' });
    notebook.model.said.set('one', { outputs: [text('a')] });
  });

  afterEach(() => {
    notebook.dispose();
    jest.useRealTimers();
  });

  it.each([401, 403, 404, 408, 424, 429, 500])(
    'goes on after a %i that is not ours',
    async status => {
      const { model } = notebook;
      await notebook.open();
      model.outputs.mockRejectedValueOnce(refusal(status));
      await notebook.later();
      model.said.set('one', { outputs: [text('ab')], outcome: 'ok' });
      model.changed.emit();
      await settled();
      expect(notebook.outputs).toEqual([text('ab')]);
    }
  );

  it('ends where nothing is known of it, until there is a server again', async () => {
    const { model } = notebook;
    model.outputs.mockRejectedValueOnce(refusal(404, 'not-found'));
    await notebook.open();
    model.changed.emit();
    await notebook.refiller.check();
    await notebook.later();
    expect(model.outputs).toHaveBeenCalledTimes(1);
    model.link = 'server-gone';
    model.changed.emit();
    await settled();
    expect(model.outputs).toHaveBeenCalledTimes(1);
    model.link = 'ok';
    model.changed.emit();
    await settled();
    expect(notebook.outputs).toEqual([text('a')]);
  });

  it.each([503, 403])(
    'asks again by itself what ran where it was answered %i',
    async status => {
      const { model } = notebook;
      model.executions.mockRejectedValueOnce(refusal(status));
      model.executions.mockRejectedValueOnce(refusal(status));
      jest.useFakeTimers({ advanceTimers: true });
      await notebook.open();
      expect(notebook.outputs).toEqual([]);
      await jest.advanceTimersByTimeAsync(3000);
      await settled();
      expect(notebook.outputs).toEqual([text('a')]);
      const asked = model.executions.mock.calls.length;
      await jest.advanceTimersByTimeAsync(120_000);
      expect(model.executions).toHaveBeenCalledTimes(asked);
    }
  );

  it.each(['server-gone', 'logged-out'] as const)(
    'leaves it to the model to look for a server: %s',
    async fault => {
      const { model } = notebook;
      await notebook.open();
      expect(notebook.outputs).toEqual([text('a')]);
      model.refresh.mockImplementation(() => {
        model.link = fault;
        model.changed.emit();
        return Promise.resolve();
      });
      model.executions.mockRejectedValue(new RequestError(fault, ''));
      model.outputs.mockRejectedValue(new RequestError(fault, ''));
      jest.useFakeTimers({ advanceTimers: true });
      await notebook.refiller.check();
      await notebook.later();
      await jest.advanceTimersByTimeAsync(3000);
      const asked = () =>
        model.executions.mock.calls.length + model.outputs.mock.calls.length;
      const before = asked();
      await jest.advanceTimersByTimeAsync(300_000);
      await notebook.later();
      expect(asked()).toBe(before);

      model.executions.mockImplementation(() => Promise.resolve(model.listed));
      model.outputs.mockReset();
      model.outputs.mockImplementation(() =>
        Promise.resolve(
          parseOutputs(
            { execution: { id: 'one' }, code: 'x', outputs: [text('ab')] },
            '"2"'
          )
        )
      );
      model.link = 'ok';
      model.changed.emit();
      await settled();
      expect(notebook.outputs).toEqual([text('ab')]);
    }
  );

  it('waits for no other try after it was closed', async () => {
    const { model } = notebook;
    model.executions.mockRejectedValue(refusal(503));
    jest.useFakeTimers({ advanceTimers: true });
    await notebook.open();
    const waiting = jest.getTimerCount();
    notebook.refiller.dispose();
    expect(jest.getTimerCount()).toBe(waiting - 1);
  });
});
