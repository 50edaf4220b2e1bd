import type { ICellModel } from '@jupyterlab/cells';
import { isCodeCellModel } from '@jupyterlab/cells';
import type {
  INotebookTracker,
  Notebook,
  NotebookPanel
} from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';

import type { IRefill, IRemoteGPU } from '../tokens';
import type { IOffer } from '../types';
import { Refiller } from './refiller';

/** A refiller for each document that is open. */
export class Refills implements IRefill {
  constructor(
    private readonly model: IRemoteGPU,
    private readonly tracker: INotebookTracker,
    private readonly trans: TranslationBundle
  ) {
    tracker.widgetAdded.connect((_, panel) => this._serve(panel));
    tracker.currentChanged.connect(() => this.changed.emit());
  }

  readonly changed = new Signal<this, void>(this);

  get offers(): readonly IOffer[] {
    return this._inFront?.offers.list ?? [];
  }

  async insert(execution: string): Promise<void> {
    const panel = this.tracker.currentWidget;
    const at = await this._inFront?.offers.insert(execution);
    const cell = panel?.content.widgets[at ?? -1];
    if (panel && cell) {
      panel.content.activeCellIndex = at ?? -1;
      await panel.content.scrollToCell(cell);
    }
  }

  dismiss(execution: string): void {
    this._inFront?.offers.dismiss(execution);
  }

  /** The user runs the cell. */
  scheduled(notebook: Notebook, cell: ICellModel): void {
    if (isCodeCellModel(cell)) {
      this._of(notebook)?.scheduled(cell);
    }
  }

  /** The user has cleared the cell. */
  cleared(notebook: Notebook, cell: ICellModel): void {
    if (isCodeCellModel(cell)) {
      this._of(notebook)?.cleared(cell);
    }
  }

  private get _inFront(): Refiller | undefined {
    const { currentWidget } = this.tracker;
    return currentWidget
      ? this._refillers.get(currentWidget.context)
      : undefined;
  }

  private _of(notebook: Notebook): Refiller | undefined {
    const panel = this.tracker.find(each => each.content === notebook);
    return panel && this._refillers.get(panel.context);
  }

  private _views(context: NotebookPanel['context']): NotebookPanel[] {
    return this.tracker.filter(
      panel => panel.context === context && !panel.isDisposed
    );
  }

  private _paths(): string[] {
    const paths: string[] = [];
    this.tracker.forEach(({ context }) => paths.push(context.path));
    return paths;
  }

  private _serve(panel: NotebookPanel): void {
    const { context } = panel;
    const refillers = this._refillers;
    if (refillers.has(context)) {
      return;
    }
    const { model, trans } = this;
    refillers.set(
      context,
      new Refiller({
        panel,
        model,
        trans,
        views: () => this._views(context),
        open: () => this._paths(),
        onOffers: () => this.changed.emit()
      })
    );
    panel.disposed.connect(() => {
      refillers.get(context)?.dispose();
      refillers.delete(context);
      const other = this._views(context).find(each => each !== panel);
      if (other) {
        this._serve(other);
      }
    });
  }

  private readonly _refillers = new Map<NotebookPanel['context'], Refiller>();
}
