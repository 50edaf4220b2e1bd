import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { errorSentence } from './sentences';

/** Ask before something that cannot be taken back. */
export async function confirmed(
  title: string,
  body: string,
  label: string,
  trans: TranslationBundle
): Promise<boolean> {
  const { button } = await showDialog({
    title,
    body,
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label })
    ],
    defaultButton: 0
  });
  return button.accept;
}

/** Show lines as they are. */
export async function showLines(
  title: string,
  lines: readonly string[],
  trans: TranslationBundle
): Promise<void> {
  const node = document.createElement('pre');
  node.className = 'jp-RemoteGPU-log';
  node.tabIndex = 0;
  node.textContent = lines.join('\n') || trans.__('Nothing happened yet.');
  await showDialog({
    title,
    body: new Widget({ node }),
    buttons: [Dialog.okButton({ label: trans.__('Close') })]
  });
}

/** JupyterLab cuts what a notification says at so many characters, in its centre too. */
const SHOWN = 140;

/** Tell it in a notification, which leads to all of it where it is long. Its id. */
export function tell(
  kind: 'success' | 'info' | 'error',
  message: string,
  trans: TranslationBundle,
  options: Notification.IOptions<never> = {}
): string {
  if (message.length <= SHOWN) {
    return Notification.emit(message, kind, options);
  }
  const showAll: Notification.IAction = {
    label: trans.__('Show all'),
    callback: event => {
      // It stays: what it says is yet to be done.
      event.preventDefault();
      void showLines(trans.__('Remote GPU'), [message], trans);
    }
  };
  return Notification.emit(message, kind, {
    ...options,
    actions: [...(options.actions ?? []), showAll],
    autoClose: false
  });
}

/** What went wrong, for the user. */
export function tellError(error: unknown, trans: TranslationBundle): void {
  tell('error', errorSentence(error, trans), trans, { autoClose: false });
}

/** Short enough to stand in a sentence of a notification. */
export function excerpt(text: string, characters = 50): string {
  return text.length > characters
    ? `${text.slice(0, characters - 1).trimEnd()}…`
    : text;
}
