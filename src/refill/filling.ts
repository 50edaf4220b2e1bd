import type { CodeCell, ICodeCellModel } from '@jupyterlab/cells';
import type { IOutput } from '@jupyterlab/nbformat';
import type { Notebook } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IExecution, IOutputs } from '../types';
import { Note } from './note';
import { Outputs } from './outputs';
import type { State } from './rule';
import { widgetOf } from './widgets';
import type { IBefore } from './writer';
import { before, mergeWidgets, setPrompt, setShows } from './writer';

/** One cell that is filled from one execution, and how it was before. */
export class Filling {
  constructor(
    readonly cell: ICodeCellModel,
    readonly execution: IExecution,
    private readonly options: {
      readonly trans: TranslationBundle;
      readonly notebook: Notebook;
      readonly onUndo: () => void;
    }
  ) {
    this._outputs = new Outputs(cell);
  }

  /** What was told last. */
  outputs: IOutputs | null = null;
  /** What the page's own request said, over which this is written. */
  said: string | null = null;
  /** How often there was no manager for its widgets. */
  waits = 0;

  /**
   * Write what was told.
   *
   * @param views - What shows the cell.
   * @param made - Widgets that were not there before.
   */
  write(views: readonly CodeCell[], made: ReadonlySet<string>): void {
    const { cell, outputs: told } = this;
    if (!told) {
      return;
    }
    const over = told.outcome !== null;
    const count = told.count ?? told.execution.count;
    const was = this._before ?? before(cell);
    const again = (output: IOutput) => made.has(widgetOf(output) ?? '');
    if (this._outputs.write(told.outputs, again)) {
      this._before = was;
    }
    setPrompt(cell, views, count, !over);
    this.mark(over ? 'complete' : 'partial');
    if (this._before) {
      this._note ??= new Note({
        trans: this.options.trans,
        onUndo: this.options.onUndo
      });
      if (views[0]) {
        const asText =
          !cell.trusted && told.outputs.some(each => widgetOf(each) !== null);
        this._note.show(
          views[0].node,
          told.execution,
          told.outcome,
          asText,
          this.said
        );
      }
    }
    this._stale = told.widgets !== null;
    if (over) {
      this.keepWidgets();
    }
  }

  /** Whether it has changed what the cell shows. */
  get hasWritten(): boolean {
    return this._before !== null;
  }

  /** Say what the cell shows of it. */
  mark(state: State): void {
    const { id: execution, asked } = this.execution;
    setShows(this.cell, { execution, state, asked });
  }

  /** Put the states of the widgets into the document. */
  keepWidgets(): void {
    const widgets = this.outputs?.widgets;
    const { model } = this.options.notebook;
    if (this._stale && widgets && model) {
      this._stale = false;
      model.setMetadata(
        'widgets',
        mergeWidgets(model.getMetadata('widgets'), widgets)
      );
    }
  }

  /** Nothing more is written; what shows the cell shows no more that it runs. */
  over(views: readonly CodeCell[]): void {
    this.keepWidgets();
    if (views.length > 0 && this.outputs?.outcome === null) {
      setPrompt(this.cell, views, this.cell.executionCount, false);
    }
  }

  /** As it was before, and it stays so; what was taken back is offered. */
  undo(views: readonly CodeCell[]): void {
    const { cell, _before } = this;
    if (_before) {
      cell.outputs.fromJSON(_before.outputs);
      setPrompt(cell, views, _before.count, false);
      this.mark('undone');
    }
    this.dispose();
  }

  dispose(): void {
    this._note?.remove();
    this._note = null;
  }

  private readonly _outputs: Outputs;
  private _before: IBefore | null = null;
  private _note: Note | null = null;
  private _stale = false;
}
