import { KEY } from '../refill/rule';
import { FilledNotebook, Request, text } from './filled';

const one = (state: string) => ({ execution: 'one', state });

describe('a cell that is run again', () => {
  let notebook: FilledNotebook;

  beforeEach(async () => {
    notebook = await FilledNotebook.create();
    notebook.model.ran('one', { state: 'running' });
    notebook.model.said.set('one', { outputs: [text('a')] });
  });

  afterEach(() => notebook.dispose());

  /** The user presses it while the first still runs, as Lab does it. */
  const press = async (): Promise<Request> => {
    notebook.refiller.scheduled(notebook.cell);
    notebook.cell.outputs.clear();
    const request = new Request(notebook.view, 'msg-two');
    await notebook.refiller.check();
    await notebook.later();
    expect(notebook.outputs).toEqual([]);
    return request;
  };

  it.each(['cancelled', 'aborted'])(
    'goes on with what still runs where its new request is %s',
    async how => {
      await notebook.open();
      const request = await press();
      await (how === 'aborted' ? request.end('aborted') : request.cancel());
      expect(notebook.outputs).toEqual([text('a')]);
      expect(notebook.shows).toEqual(one('partial'));
      notebook.model.said.set('one', {
        outputs: [text('a long time')],
        outcome: 'ok'
      });
      await notebook.later();
      expect(notebook.outputs).toEqual([text('a long time')]);
      expect(notebook.shows).toEqual(one('complete'));
    }
  );

  it('goes on after a reload where its new request never came to the pod', async () => {
    await notebook.open();
    await press();
    await notebook.open({
      metadata: { [KEY]: notebook.shows },
      outputs: notebook.outputs
    });
    expect(notebook.outputs).toEqual([text('a')]);
  });

  it('keeps what its new request says that never came to the pod', async () => {
    await notebook.open();
    const request = await press();
    notebook.cell.outputs.add(text('not connected', 'stderr'));
    await request.end('error');
    await notebook.list(['one']);
    expect(notebook.outputs).toEqual([text('not connected', 'stderr')]);
    expect(notebook.shows).toEqual(one('replaced'));
  });

  it('waits for its new request, which comes when the kernel has started', async () => {
    await notebook.open();
    const first = new Request(notebook.view, 'msg-zero');
    await notebook.refiller.check();
    await notebook.later();
    notebook.refiller.scheduled(notebook.cell);
    notebook.cell.outputs.clear();
    await first.cancel();
    await notebook.later();
    expect(notebook.outputs).toEqual([]);
    expect(notebook.shows).toEqual(one('partial'));
    const second = new Request(notebook.view, 'msg-two');
    await notebook.refiller.check();
    await second.cancel();
    expect(notebook.outputs).toEqual([text('a')]);
  });

  it('stays empty where it had shown all before', async () => {
    notebook.model.said.set('one', { outputs: [text('a')], outcome: 'ok' });
    await notebook.open();
    const request = await press();
    await request.cancel();
    expect(notebook.outputs).toEqual([]);
    expect(notebook.shows).toEqual(one('replaced'));
  });

  it('goes on with its new run where that came to the pod before it was given up', async () => {
    await notebook.open();
    const request = await press();
    notebook.model.said.set('two', { outputs: [text('b')] });
    notebook.model.ran('two', { requested: 5000, state: 'running' });
    await request.cancel();
    expect(notebook.outputs).toEqual([text('b')]);
    expect(notebook.shows).toEqual({ execution: 'two', state: 'partial' });
  });
});

describe('a cell that is cleared while its request delivers', () => {
  let notebook: FilledNotebook;

  beforeEach(async () => {
    notebook = await FilledNotebook.create();
    notebook.model.said.set('one', { outputs: [text('ab')], outcome: 'ok' });
    await notebook.open();
  });

  afterEach(() => notebook.dispose());

  const clear = () => {
    notebook.cell.outputs.clear();
    notebook.refiller.cleared(notebook.cell);
  };
  const reopen = () =>
    notebook.open({
      metadata: { [KEY]: notebook.shows },
      outputs: notebook.outputs
    });

  it('stays so after its end, and after a reload', async () => {
    const request = new Request(notebook.view, 'msg-one');
    await notebook.list(['one', { state: 'running' }]);
    expect(notebook.shows).toEqual(one('partial'));
    clear();
    expect(notebook.shows).toEqual(one('replaced'));
    notebook.cell.outputs.add(text('b'));
    await notebook.list(['one']);
    await request.end();
    expect(notebook.shows).toEqual(one('replaced'));
    await reopen();
    expect(notebook.outputs).toEqual([text('b')]);
  });

  it('stays so after a reload in the middle', async () => {
    new Request(notebook.view, 'msg-one');
    await notebook.list(['one', { state: 'running' }]);
    clear();
    await notebook.list(['one']);
    await reopen();
    expect(notebook.outputs).toEqual([]);
  });

  it('stays so where nothing was known of it yet', async () => {
    const request = new Request(notebook.view, 'msg-one');
    await notebook.refiller.check();
    clear();
    await request.cancel();
    await notebook.list(['one']);
    expect(notebook.outputs).toEqual([]);
    expect(notebook.shows).toEqual(one('replaced'));
  });
});
