import type { TranslationBundle } from '@jupyterlab/translation';

import type { IExecution } from '../types';

const CLASS = 'jp-RemoteGPU-note';

/** Says below a cell that its output was written from the pod, and takes it back. */
export class Note {
  constructor(
    private readonly options: {
      readonly trans: TranslationBundle;
      readonly onUndo: () => void;
    }
  ) {
    const { trans } = options;
    this.node.className = CLASS;
    this._text.className = `${CLASS}-text`;
    const undo = button(trans.__('Undo'));
    undo.title = trans.__('Show again what was here before');
    undo.addEventListener('click', options.onUndo);
    const dismiss = button('×');
    dismiss.setAttribute('aria-label', trans.__('Dismiss'));
    dismiss.title = trans.__('Dismiss');
    dismiss.addEventListener('click', () => {
      this._dismissed = true;
      this.node.remove();
    });
    this.node.append(this._text, undo, dismiss);
    // A cell would take a press as one on its output.
    this.node.addEventListener('mousedown', event => event.stopPropagation());
  }

  readonly node = document.createElement('div');

  /**
   * Show it at `cell`, unless it was dismissed.
   *
   * @param outcome - How the execution ended; null: it has not.
   * @param asText - Widgets in it show as text, for nobody trusts the notebook.
   * @param said - What the page's own request said when it gave up waiting: the output is written
   *   over that, and it tells the ways back to the cell.
   */
  show(
    cell: HTMLElement,
    execution: IExecution,
    outcome: string | null,
    asText: boolean,
    said: string | null = null
  ): void {
    if (this._dismissed) {
      return;
    }
    const { trans } = this.options;
    const from = time(execution.started ?? execution.requested);
    const told = outcome
      ? trans.__(
          'Output completed from the pod, %1–%2',
          from,
          time(execution.ended)
        )
      : trans.__('Output from the pod, since %1', from);
    const hint = trans.__(
      'Its widgets show as text until you trust the notebook: “Trust Notebook” in the command palette'
    );
    const text = [
      told,
      outcome ? '' : (said ?? '').replace(/\.$/, ''),
      outcome === 'died' ? trans.__('The kernel ended') : '',
      outcome === 'aborted' ? trans.__('The cell was taken back unrun') : '',
      asText ? hint : ''
    ]
      .filter(Boolean)
      .join('. ');
    if (this._text.textContent !== text) {
      this._text.textContent = text;
    }
    if (this.node.parentElement !== cell) {
      cell.append(this.node);
    }
  }

  remove(): void {
    this.node.remove();
  }

  private readonly _text = document.createElement('span');
  private _dismissed = false;
}

function button(text: string): HTMLButtonElement {
  const made = document.createElement('button');
  made.type = 'button';
  made.className = 'jp-RemoteGPU-button jp-mod-small';
  made.textContent = text;
  return made;
}

/** Hours and minutes, as they are here. */
function time(seconds: number | null): string {
  return seconds === null
    ? '…'
    : new Date(seconds * 1000).toLocaleTimeString([], {
        hour: '2-digit',
        minute: '2-digit'
      });
}
