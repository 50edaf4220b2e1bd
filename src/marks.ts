import type { NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';

import type { Clock } from './clock';
import { cellOf, isOf } from './notebooks';
import { elapsed } from './sentences';
import type { IRemoteGPU } from './tokens';
import type { IPlacedExecution } from './types';

const CLASS = 'jp-RemoteGPU-mark';

/** Marks the cells of one notebook that are queued or run on a pod, as the snapshot says. */
export class Marks {
  constructor(
    private readonly panel: NotebookPanel,
    private readonly model: IRemoteGPU,
    private readonly clock: Clock,
    private readonly trans: TranslationBundle
  ) {
    model.changed.connect(this.update, this);
    panel.context.pathChanged.connect(this.update, this);
    panel.sessionContext.kernelChanged.connect(this.update, this);
    // Cells come when the document is loaded, and go.
    panel.content.modelContentChanged.connect(this._onContent, this);
    panel.disposed.connect(this.dispose, this);
    this.update();
  }

  /** Bring the marks to what is known. */
  update(): void {
    const { panel, model } = this;
    const marked = new Map<HTMLElement, IPlacedExecution>();
    // The newest of a cell counts: it was run again while the first one waits.
    for (const execution of model.active) {
      const cell = isOf(execution, panel)
        ? cellOf(execution, panel.content)
        : null;
      if (cell) {
        marked.set(cell.node, execution);
      }
    }
    for (const node of this._marks.keys()) {
      if (!marked.has(node)) {
        this._marks.get(node)?.remove();
        this._marks.delete(node);
      }
    }
    this._shown = marked;
    marked.forEach((execution, cell) => this._mark(cell, execution));
    this._count();
  }

  dispose(): void {
    // Of another view of the document context and session go on.
    Signal.clearData(this);
    this._stop?.();
    this._stop = null;
    this._marks.forEach(mark => mark.remove());
    this._marks.clear();
    this._shown.clear();
  }

  private _onContent(): void {
    if (this.model.active.length > 0 || this._marks.size > 0) {
      this.update();
    }
  }

  private _mark(cell: HTMLElement, execution: IPlacedExecution): void {
    let mark = this._marks.get(cell);
    if (!mark) {
      mark = document.createElement('div');
      const dot = document.createElement('span');
      dot.setAttribute('aria-hidden', 'true');
      mark.append(dot, document.createElement('span'));
      this._marks.set(cell, mark);
    }
    if (mark.parentElement !== cell) {
      cell.append(mark);
    }
    const { trans } = this;
    const { pod, linked, state } = execution;
    mark.className = `${CLASS} jp-mod-${linked ? state : 'lost'}`;
    mark.title = !linked
      ? trans.__('Runs on %1; there is no link, its output will catch up', pod)
      : state === 'queued'
        ? trans.__('Queued on %1', pod)
        : trans.__('Runs on %1', pod);
    mark.firstElementChild!.className = `jp-RemoteGPU-dot jp-mod-${
      !linked ? 'warn' : state === 'queued' ? 'off' : 'ok'
    }`;
    this._write(mark, execution);
  }

  private _write(mark: HTMLElement, execution: IPlacedExecution): void {
    mark.lastElementChild!.textContent =
      execution.started === null
        ? this.trans.__('queued')
        : elapsed(this.model.now() - execution.started);
  }

  /** The clock is listened to while there is something to count. */
  private _count(): void {
    if (this._shown.size > 0) {
      this._stop ??= this.clock.subscribe(() => {
        if (!this.panel.isVisible) {
          return;
        }
        this._shown.forEach((execution, cell) => {
          const mark = this._marks.get(cell);
          if (mark) {
            this._write(mark, execution);
          }
        });
      });
    } else {
      this._stop?.();
      this._stop = null;
    }
  }

  private readonly _marks = new Map<HTMLElement, HTMLElement>();
  private _shown = new Map<HTMLElement, IPlacedExecution>();
  private _stop: (() => void) | null = null;
}
