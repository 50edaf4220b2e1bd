import type { ICodeCellModel } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';

import { sameText } from '../cells';
import type { RequestError } from '../request';
import type { IRemoteGPU } from '../tokens';
import type { IExecution, IOutputs } from '../types';
import type { Document } from './document';
import { Filling } from './filling';
import { Follower } from './follower';
import { Widgets } from './widgets';
import { showsOf } from './writer';

/** So often it is looked for a widget manager after the end. */
const MOST = 60;

/** Writes into the cells of one notebook what their executions say, until these end. */
export class Filler implements IDisposable {
  constructor(
    private readonly cells: Document,
    private readonly options: {
      readonly panel: NotebookPanel;
      readonly model: IRemoteGPU;
      readonly trans: TranslationBundle;
      /** Whether it is for this page to write into it: others may share the document. */
      readonly mayFill: (cell: ICodeCellModel) => boolean;
    },
    /** A cell shows all of its execution, or nothing more of it can be had. */
    private readonly onOver: () => void
  ) {
    this._widgets = new Widgets(options.panel.content.rendermime);
  }

  isDisposed = false;

  dispose(): void {
    this.isDisposed = true;
    this._followers.forEach(follower => follower.stop());
    this._followers.clear();
    this._fillings.forEach(filling => filling.dispose());
    this._fillings.clear();
  }

  /** Fill the cell from that execution, from now until it ends. */
  fill(cell: ICodeCellModel, execution: IExecution): void {
    const known = this._followers.get(cell);
    if (this.isDisposed || this._lost.has(execution.id)) {
      return;
    }
    if (known?.execution.id === execution.id) {
      if (execution.state === 'ended') {
        known.hurry();
      }
      return;
    }
    known?.stop();
    const { model, panel } = this.options;
    const made = new Follower(execution, cell, {
      model,
      isSeen: () => document.visibilityState === 'visible' && panel.isVisible,
      show: this._show,
      onOver: this._onOver
    });
    this._followers.set(cell, made);
    void made.run();
  }

  /** It is no more ours what the cell shows. */
  release(cell: ICodeCellModel): void {
    this.stop(cell);
    this._fillings.get(cell)?.dispose();
    this._fillings.delete(cell);
  }

  /** Ask no more for what the cell shows. */
  stop(cell: ICodeCellModel): void {
    this._followers.get(cell)?.stop();
    this._followers.delete(cell);
  }

  /** Ask again also for what could not be had; whether there is any. */
  retry(): boolean {
    const any = this._lost.size > 0;
    this._lost.clear();
    return any;
  }

  /** Another page of those that share the document goes on with the cell. */
  handOver(cell: ICodeCellModel): void {
    if (this._followers.has(cell)) {
      this.stop(cell);
      // Later it would be over what that page has put there.
      this._fillings.get(cell)?.keepWidgets();
    }
  }

  /** Put the states of the widgets into the document, which is about to be saved. */
  keepWidgets(): void {
    this._fillings.forEach(filling => filling.keepWidgets());
  }

  private readonly _show = async (
    follower: Follower,
    outputs: IOutputs | null
  ): Promise<boolean> => {
    const { cell } = follower;
    const filling = this._filling(follower);
    filling.outputs = outputs ?? filling.outputs;
    const told = filling.outputs;
    if (!told || !this._mayWrite(follower, told)) {
      return false;
    }
    const made = await this._widgets.restore(told.widgets ?? {});
    if (!this._mayWrite(follower, told)) {
      return false;
    }
    if (outputs || made?.size) {
      filling.write(this.cells.views(cell), made ?? new Set());
    }
    // What shows a widget waits for the page's widget manager, which comes with the kernel.
    filling.waits = made === null ? filling.waits + 1 : 0;
    return told.outcome === null || (made === null && filling.waits < MOST);
  };

  private _mayWrite(
    { isStopped, cell, execution }: Follower,
    { code }: IOutputs
  ): boolean {
    const shows = showsOf(cell);
    return (
      !isStopped &&
      this.cells.has(cell) &&
      !this.cells.isLive(cell) &&
      this.options.mayFill(cell) &&
      sameText(cell.sharedModel.getSource(), code, true) &&
      // Somebody who shares the document may have said so.
      !(shows?.execution === execution.id && shows.state === 'replaced')
    );
  }

  private readonly _onOver = (
    follower: Follower,
    error: RequestError | null
  ): void => {
    const { cell, execution } = follower;
    if (this._followers.get(cell) === follower) {
      this._followers.delete(cell);
    }
    if (error) {
      this._lost.add(execution.id);
    }
    const isOurs =
      this.cells.has(cell) &&
      !this.cells.isLive(cell) &&
      this.options.mayFill(cell);
    this._fillings.get(cell)?.over(isOurs ? this.cells.views(cell) : []);
    this.onOver();
  };

  /** What is written into the cell from that execution; another one's is let go of. */
  private _filling({ cell, execution }: Follower): Filling {
    const known = this._fillings.get(cell);
    if (known?.execution === execution.id) {
      return known;
    }
    known?.dispose();
    const made = new Filling(cell, execution.id, {
      trans: this.options.trans,
      notebook: this.options.panel.content,
      onUndo: () => {
        this.stop(cell);
        made.undo(this.cells.views(cell));
        this._fillings.delete(cell);
      }
    });
    this._fillings.set(cell, made);
    return made;
  }

  private readonly _widgets: Widgets;
  private readonly _followers = new Map<ICodeCellModel, Follower>();
  private readonly _fillings = new Map<ICodeCellModel, Filling>();
  /** Executions of which nothing can be had. */
  private readonly _lost = new Set<string>();
}
