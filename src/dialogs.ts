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

/** What went wrong, for the user. */
export function tellError(error: unknown, trans: TranslationBundle): void {
  Notification.error(errorSentence(error, trans), { autoClose: false });
}
