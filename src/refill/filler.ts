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
import type { IReply } from './futures';
import { covers, longer } from './whole';
import { Widgets } from './widgets';
import { showsOf } from './writer';

/** So often it is looked for a widget manager after the end. */
const MOST = 60;
/** Seconds before a cell that was not filled to the end is tried again: what keeps it may stay. */
const REST = 1;

/** Why a cell does not take what its execution said. */
interface IRefusal {
  readonly execution: string;
  readonly source: string;
  readonly reason: 'text' | 'gaps';
}

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

  /**
   * Fill the cell from that execution, from now until it ends.
   *
   * @param reply - How the page's own request for it ended, which may have delivered all.
   */
  fill(
    cell: ICodeCellModel,
    execution: IExecution,
    reply: IReply | null = null
  ): void {
    const { id } = execution;
    const known = this._followers.get(cell);
    if (this.isDisposed || this._lost.has(id) || this._resting.has(id)) {
      return;
    }
    if (known?.execution.id === execution.id) {
      if (execution.state === 'ended') {
        known.hurry();
      }
      return;
    }
    known?.stop();
    if (reply) {
      this._replies.set(id, reply);
    }
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

  /** Why the cell, as it is now, does not take it; null: nothing is known that says so. */
  refusal(cell: ICodeCellModel, { id }: IExecution): IRefusal['reason'] | null {
    const known = this._refusals.get(cell);
    return known?.execution === id &&
      known.source === cell.sharedModel.getSource()
      ? known.reason
      : null;
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

  /** Let go of what is not there any more: somebody who shares the document has replaced it. */
  tidy(): void {
    for (const [cell, { execution, hasWritten }] of this._fillings) {
      const shows = showsOf(cell);
      const isThere =
        shows?.execution === execution.id && shows.state !== 'replaced';
      if (hasWritten && !isThere) {
        this.release(cell);
      }
    }
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
    const reply = this._replies.get(follower.execution.id) ?? null;
    if (reply && this._isAll(filling, told)) {
      filling.mark('complete');
      return false;
    }
    if (told.gaps && longer(cell.outputs.toJSON(), told.outputs)) {
      this._refuse(follower, 'gaps');
      return false;
    }
    const made = await this._widgets.restore(told.widgets ?? {});
    if (!this._mayWrite(follower, told)) {
      return false;
    }
    filling.said = reply?.error ?? null;
    if (outputs || made?.size) {
      filling.write(this.cells.views(cell), made ?? new Set());
    }
    // What shows a widget waits for the page's widget manager, which comes with the kernel.
    filling.waits = made === null ? filling.waits + 1 : 0;
    return told.outcome === null || (made === null && filling.waits < MOST);
  };

  /** Whether the page's own request has delivered it all, and the magic's own words beside it. */
  private _isAll(filling: Filling, told: IOutputs): boolean {
    const { outcome, outputs, gaps } = told;
    if (outcome === null || filling.hasWritten) {
      return false;
    }
    const shown = filling.cell.outputs.toJSON();
    return covers(shown, outputs) || (gaps && longer(shown, outputs));
  }

  private _mayWrite(follower: Follower, { code }: IOutputs): boolean {
    const { isStopped, cell, execution } = follower;
    const shows = showsOf(cell);
    const may =
      !isStopped &&
      this.cells.has(cell) &&
      !this.cells.isLive(cell) &&
      this.options.mayFill(cell) &&
      // Somebody who shares the document may have said so.
      !(
        shows?.execution === execution.id &&
        (shows.state === 'replaced' || shows.state === 'undone')
      );
    // What is listed is cut: only here the whole is seen.
    const isSame = sameText(cell.sharedModel.getSource(), code, true);
    if (may && !isSame) {
      this._refuse(follower, 'text');
    }
    return may && isSame;
  }

  private _refuse(
    { cell, execution }: Follower,
    reason: IRefusal['reason']
  ): void {
    const source = cell.sharedModel.getSource();
    this._refusals.set(cell, { execution: execution.id, source, reason });
  }

  private readonly _onOver = (
    follower: Follower,
    error: RequestError | null
  ): void => {
    const { cell, execution } = follower;
    if (this._followers.get(cell) === follower) {
      this._followers.delete(cell);
    }
    const shows = showsOf(cell);
    if (error) {
      this._lost.add(execution.id);
    } else if (
      shows?.execution !== execution.id ||
      shows.state !== 'complete'
    ) {
      this._rest(execution.id);
    }
    const isOurs =
      this.cells.has(cell) &&
      !this.cells.isLive(cell) &&
      this.options.mayFill(cell);
    this._fillings.get(cell)?.over(isOurs ? this.cells.views(cell) : []);
    this.onOver();
  };

  private _rest(execution: string): void {
    this._resting.add(execution);
    setTimeout(() => {
      this._resting.delete(execution);
      if (!this.isDisposed) {
        this.onOver();
      }
    }, REST * 1000);
  }

  /** What is written into the cell from that execution; another one's is let go of. */
  private _filling({ cell, execution }: Follower): Filling {
    const known = this._fillings.get(cell);
    if (known?.execution.id === execution.id) {
      return known;
    }
    known?.dispose();
    const made = new Filling(cell, execution, {
      trans: this.options.trans,
      notebook: this.options.panel.content,
      onUndo: () => {
        this.stop(cell);
        made.undo(this.cells.views(cell));
        this._fillings.delete(cell);
        this.onOver();
      }
    });
    this._fillings.set(cell, made);
    return made;
  }

  private readonly _widgets: Widgets;
  private readonly _followers = new Map<ICodeCellModel, Follower>();
  private readonly _fillings = new Map<ICodeCellModel, Filling>();
  /** Of executions that own requests of the page were for. */
  private readonly _replies = new Map<string, IReply>();
  private readonly _refusals = new WeakMap<ICodeCellModel, IRefusal>();
  private readonly _resting = new Set<string>();
  /** Executions of which nothing can be had. */
  private readonly _lost = new Set<string>();
}
