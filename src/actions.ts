import { Clipboard, InputDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { fileName } from './cells';
import type { IActions } from './components/context';
import { confirmed, excerpt, showLines, tell, tellError } from './dialogs';
import { firstLine } from './executions';
import type { IRefill, IRemoteGPU } from './tokens';
import type { IKernelRow, IPlacedExecution, IPod } from './types';

/** What buttons and commands do: ask where it is needed, do it, tell what went wrong. */
export class Actions implements IActions {
  constructor(
    private readonly model: IRemoteGPU,
    private readonly trans: TranslationBundle,
    private readonly goTo: (execution: IPlacedExecution) => Promise<void>,
    private readonly refill: IRefill | null = null
  ) {}

  addPod = async (ssh: string): Promise<void> => {
    await this.model.addPod(ssh);
  };

  startDemo = (): Promise<void> => this.model.startDemo();

  hosts = (): Promise<string[]> => this.model.hosts();

  kernels = (): ReturnType<IRemoteGPU['kernels']> => this.model.kernels();

  connect = (pod: string, acceptHostKey?: string): void => {
    this.model.connect(pod, acceptHostKey).catch(this._tell);
  };

  disconnect = (pod: string): void => {
    this.model.disconnect(pod).catch(this._tell);
  };

  tryServer = (): void => {
    void this.model.refresh();
  };

  reloadPage = (): void => {
    window.location.reload();
  };

  remove = (pod: IPod): void => {
    this._remove(pod).catch(this._tell);
  };

  showLog = (pod: string): void => {
    this.model
      .log(pod)
      .then(lines =>
        showLines(this.trans.__('Log of %1', pod), lines, this.trans)
      )
      .catch(this._tell);
  };

  copyKey = (pod: string): void => {
    this._copyKey(pod).catch(this._tell);
  };

  startDemoAgain = (): void => {
    this.startDemo().catch(this._tell);
  };

  show = (execution: IPlacedExecution): void => {
    this.goTo(execution).catch(this._tell);
  };

  interrupt = (execution: IPlacedExecution): void => {
    this._interrupt(execution).catch(this._tell);
  };

  restart = (kernel: IKernelRow): Promise<boolean> => {
    const { trans, model } = this;
    return this._end(
      trans.__('Restart the kernel of %1?', titleOf(kernel)),
      trans.__('All its variables are lost, and what runs in it ends.'),
      trans.__('Restart'),
      () => model.restartKernel(kernel.pod, kernel.id)
    );
  };

  stop = (kernel: IKernelRow): Promise<boolean> => {
    const { trans, model } = this;
    return this._end(
      trans.__('Stop the kernel of %1?', titleOf(kernel)),
      trans.__(
        'All its variables are lost, and what runs in it ends. Output that was kept stays.'
      ),
      trans.__('Stop'),
      () => model.stopKernel(kernel.pod, kernel.id)
    );
  };

  insertOffer = async (execution: string): Promise<void> => {
    try {
      await this.refill?.insert(execution);
    } catch (error) {
      this._tell(error);
    }
  };

  dismissOffer = (execution: string): void => {
    this.refill?.dismiss(execution);
  };

  private readonly _tell = (error: unknown): void => {
    tellError(error, this.trans);
  };

  private async _end(
    title: string,
    body: string,
    label: string,
    work: () => Promise<void>
  ): Promise<boolean> {
    try {
      if (!(await confirmed(title, body, label, this.trans))) {
        return false;
      }
      await work();
      return true;
    } catch (error) {
      this._tell(error);
      return false;
    }
  }

  private async _remove(pod: IPod): Promise<void> {
    const { trans } = this;
    const sure = await confirmed(
      trans.__('Remove %1?', pod.name),
      trans.__(
        'The pod is taken from the list, with its host key and the key that was made for it. Kernels on it run on, and cost what they cost.'
      ),
      trans.__('Remove'),
      trans
    );
    if (!sure) {
      return;
    }
    const left = await this.model.removePod(pod.name);
    if (left !== null) {
      await showLines(
        trans.__('A key of ours is still on %1: take it away there', pod.name),
        [left],
        trans
      );
    }
  }

  private async _copyKey(pod: string): Promise<void> {
    const { trans } = this;
    const keys = await this.model.refusedKeys(pod);
    let key = keys[0];
    if (keys.length > 1) {
      const { value } = await InputDialog.getItem({
        title: trans.__('Copy the public half of which key?'),
        items: keys.map(({ name }) => name),
        okLabel: trans.__('Copy')
      });
      const chosen = keys.find(({ name }) => name === value);
      if (!chosen) {
        return;
      }
      key = chosen;
    }
    if (!key) {
      tell('info', trans.__('%1 has refused no key since.', pod), trans, {
        autoClose: 5000
      });
      return;
    }
    Clipboard.copyToSystem(key.public);
    tell(
      'success',
      trans.__('The public half of %1 is copied.', excerpt(key.name, 80)),
      trans,
      { autoClose: 5000 }
    );
  }

  private async _interrupt(execution: IPlacedExecution): Promise<void> {
    const { trans } = this;
    const done = await this.model.interrupt(execution.id);
    const line = excerpt(firstLine(execution.code));
    if (done === null) {
      tell(
        'info',
        trans.__(
          'The link is down: “%1” is interrupted when it is back.',
          line
        ),
        trans,
        { autoClose: 8000 }
      );
    } else if (!done) {
      tell('info', trans.__('“%1” does not run any more.', line), trans, {
        autoClose: 5000
      });
    }
  }
}

function titleOf(kernel: IKernelRow): string {
  return kernel.notebook
    ? fileName(kernel.notebook)
    : kernel.displayName || kernel.id.slice(0, 8);
}
