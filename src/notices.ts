import type { TranslationBundle } from '@jupyterlab/translation';

import { fileName } from './cells';
import { excerpt, tell } from './dialogs';
import { firstLine, ranFor } from './executions';
import { elapsed } from './sentences';
import type { IPlacedExecution } from './types';

/** Who waits for a cell longer than this has gone to do something else. */
export const LONG_SECONDS = 60;

/** Tells that a cell which ran for long has ended. */
export class Notices {
  /** Whether the browser may tell it on the desktop too. */
  desktop = false;

  constructor(private readonly options: Notices.IOptions) {}

  tell(execution: IPlacedExecution): void {
    if (!ranFor(execution, LONG_SECONDS)) {
      return;
    }
    const { trans, show } = this.options;
    const message = this._sentence(execution);
    const actions = [
      { label: trans.__('Show'), callback: () => show(execution) }
    ];
    // Also where the setting says so: only this browser's user can allow it here.
    if (permission() === 'default') {
      actions.push({
        label: trans.__('Tell me on the desktop too'),
        callback: () => void this.askDesktop()
      });
    }
    const kind = execution.outcome === 'ok' ? 'success' : 'error';
    tell(kind, message, trans, { actions, autoClose: false });
    this._onDesktop(message, execution);
  }

  /** Ask the browser whether it may; only a click of the user's can. */
  async askDesktop(): Promise<void> {
    if (permission() === null) {
      return;
    }
    const answer = await Notification.requestPermission();
    if (answer === 'granted') {
      this.options.onDesktop();
    }
  }

  /** What counts comes first: a notification may show its beginning only. */
  private _sentence(execution: IPlacedExecution): string {
    const { trans } = this.options;
    const time = elapsed((execution.ended ?? 0) - (execution.started ?? 0));
    const line = excerpt(firstLine(execution.code));
    const where = excerpt(
      execution.notebook ? fileName(execution.notebook) : execution.pod
    );
    switch (execution.outcome) {
      case 'ok':
        return trans.__('Done after %1: “%2” (%3)', time, line, where);
      case 'died':
        return trans.__(
          'The kernel ended after %1: “%2” (%3)',
          time,
          line,
          where
        );
      default:
        return trans.__('Failed after %1: “%2” (%3)', time, line, where);
    }
  }

  private _onDesktop(body: string, execution: IPlacedExecution): void {
    // Who looks at the page sees the one in it.
    if (!this.desktop || permission() !== 'granted' || document.hasFocus()) {
      return;
    }
    const { trans, show } = this.options;
    // Two pages of one server tell it once: the tag is the same.
    const told = new Notification(trans.__('Remote GPU'), {
      body,
      tag: execution.id
    });
    told.onclick = () => {
      window.focus();
      show(execution);
      told.close();
    };
  }
}

export namespace Notices {
  export interface IOptions {
    readonly trans: TranslationBundle;
    readonly show: (execution: IPlacedExecution) => void;
    /** The user wants desktop notifications, and the browser allows them. */
    readonly onDesktop: () => void;
  }
}

/** Null: this browser, or a page that is not secure, has none. */
function permission(): NotificationPermission | null {
  return typeof Notification === 'undefined' ? null : Notification.permission;
}
