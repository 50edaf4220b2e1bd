import type { ISessionContext } from '@jupyterlab/apputils';
import { Notification } from '@jupyterlab/apputils';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import { tell } from './dialogs';

/**
 * What is sent before the server has said how; it is enough where the package is installed.
 * Loading what is loaded costs a dictionary lookup, and says nothing.
 */
export const LOAD =
  "get_ipython().extension_manager.load_extension('jupyter_remote_gpu')";

type Session = Pick<
  ISessionContext,
  'session' | 'specsManager' | 'kernelDisplayName'
>;

/** Loads `%%gpu` in a notebook's kernel, so that no cell has to. */
export class Magics {
  /**
   * @param code - What loads them as the server knows it: also where the package is missing.
   */
  constructor(
    private readonly trans: TranslationBundle,
    private readonly code: () => string
  ) {}

  /**
   * Send the request that loads the magics, before whatever is sent after it.
   *
   * It is sent for each cell that needs them: that a kernel began anew is not always known.
   */
  load(context: Session): void {
    const kernel = context.session?.kernel;
    if (!kernel) {
      return;
    }
    const language = languageOf(context, kernel);
    if (language && language !== 'python') {
      this._tell(
        context,
        this.trans.__(
          'The kernel %1 is not an IPython kernel: %2 needs a Python notebook.',
          context.kernelDisplayName,
          '%%gpu'
        )
      );
      return;
    }
    let future: ReturnType<typeof kernel.requestExecute>;
    try {
      future = kernel.requestExecute(
        {
          code: this.code() || LOAD,
          silent: true,
          store_history: false,
          allow_stdin: false,
          // The cell that follows runs all the same, and shows an error of its own.
          stop_on_error: false
        },
        true
      );
    } catch {
      // So it is with a kernel that is dead.
      this._tell(
        context,
        this.trans.__(
          'The kernel %1 does not run any more: restart it, then run the cell.',
          context.kernelDisplayName
        )
      );
      return;
    }
    future.done.then(
      reply => this._replied(context, reply),
      // The kernel was restarted meanwhile: the next cell sends another.
      () => undefined
    );
  }

  private _replied(
    context: Session,
    { content }: KernelMessage.IExecuteReplyMsg
  ): void {
    if (content.status !== 'error') {
      this._over(context);
      return;
    }
    const { ename, evalue } = content;
    const { trans } = this;
    const kernel = context.kernelDisplayName;
    if (ename === 'ModuleNotFoundError') {
      this._tell(
        context,
        trans.__(
          'The environment of the kernel %1 does not have jupyter-remote-gpu. Run %2 in a cell, then this cell again.',
          kernel,
          '%pip install jupyter-remote-gpu'
        )
      );
    } else if (ename === 'NameError') {
      this._tell(
        context,
        trans.__(
          'The kernel %1 is not an IPython kernel: %2 needs one.',
          kernel,
          '%%gpu'
        )
      );
    } else {
      this._tell(
        context,
        trans.__('%1 could not be loaded: %2', '%%gpu', `${ename}: ${evalue}`)
      );
    }
  }

  private _tell(context: Session, message: string): void {
    this._over(context);
    const options = { autoClose: false } as const;
    this._told.set(context, tell('error', message, this.trans, options));
  }

  private _over(context: Session): void {
    const id = this._told.get(context);
    if (id !== undefined) {
      Notification.dismiss(id);
      this._told.delete(context);
    }
  }

  private readonly _told = new WeakMap<Session, string>();
}

function languageOf(
  { specsManager }: Session,
  { name }: Kernel.IKernelConnection
): string | undefined {
  return specsManager.specs?.kernelspecs[name]?.language.toLowerCase();
}
