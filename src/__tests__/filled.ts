import type { CodeCell, ICodeCellModel } from '@jupyterlab/cells';
import type { IOutput } from '@jupyterlab/nbformat';
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
import { notebookOf } from './notebooks';

export const text = (value: string, name = 'stdout'): IOutput => ({
  output_type: 'stream',
  name,
  text: value
});

/** Until what was begun has come to rest. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) {
    await new Promise(resolve => setTimeout(resolve, 0));
  }
}

/** A request of the page's own, for the cell that it is given to. */
export class Request {
  constructor(
    private readonly view: CodeCell,
    msg_id: string
  ) {
    const done = new Promise((resolve, reject) => {
      this._end = resolve;
      this._fail = reject;
    });
    const dispose = () => this._fail(new Error('Canceled future'));
    const msg = { header: { msg_id } };
    const value = { done, dispose, isDisposed: false, msg };
    Object.defineProperty(this.view.outputArea, 'future', {
      value,
      configurable: true
    });
  }

  async end(status = 'ok', evalue = ''): Promise<void> {
    this._end({ content: { status, evalue } });
    await settled();
  }

  /** As when the local kernel is restarted. */
  async cancel(): Promise<void> {
    this._fail(new Error('Canceled future'));
    await settled();
  }

  private _end: (reply: unknown) => void = () => undefined;
  private _fail: (error: Error) => void = () => undefined;
}

/** A notebook of one cell, `%%gpu x` with the id `a`, that is refilled. */
export class FilledNotebook {
  static async create(): Promise<FilledNotebook> {
    return new FilledNotebook(
      NBTestUtils.createNotebookPanel(
        await initNotebookContext({ manager: new ServiceManagerMock() })
      )
    );
  }

  private constructor(readonly panel: NotebookPanel) {}

  readonly model = new FakeModel();
  /** The paths of other notebooks that are open. */
  readonly others: string[] = [];

  get refiller(): Refiller {
    return this._refiller!;
  }

  get cell(): ICodeCellModel {
    return this.panel.content.model!.cells.get(0) as ICodeCellModel;
  }

  get view(): CodeCell {
    return this.panel.content.widgets[0] as CodeCell;
  }

  get outputs(): unknown {
    return (this.cell.toJSON() as { outputs?: unknown }).outputs;
  }

  /** What its metadata say, without the time. */
  get shows(): { execution?: unknown; state?: unknown } {
    const { execution, state } = (this.cell.getMetadata(KEY) ?? {}) as Record<
      string,
      unknown
    >;
    return { execution, state };
  }

  get note(): Element | null {
    return this.view.node.querySelector('.jp-RemoteGPU-note');
  }

  async open(fields: Record<string, unknown> = {}): Promise<void> {
    this.panel.content.model!.fromJSON(notebookOf(fields));
    await this.serve();
  }

  /** As a page does that has just opened it. */
  async serve(): Promise<void> {
    this._refiller?.dispose();
    this._refiller = new Refiller({
      panel: this.panel,
      model: this.model as unknown as IRemoteGPU,
      trans: nullTranslator.load('jupyter_remote_gpu'),
      views: () => [this.panel],
      open: () => [this.panel.context.path, ...this.others]
    });
    await settled();
  }

  /** The next question is asked now. */
  async later(): Promise<void> {
    document.dispatchEvent(new Event('visibilitychange'));
    await settled();
  }

  /** The server lists them from now on. */
  async list(...ran: Parameters<FakeModel['ran']>[]): Promise<void> {
    this.model.listed = [];
    ran.forEach(each => this.model.ran(...each));
    await this.refiller.check();
    await settled();
  }

  dispose(): void {
    this._refiller?.dispose();
    this.panel.context.dispose();
    this.panel.dispose();
  }

  private _refiller: Refiller | null = null;
}
