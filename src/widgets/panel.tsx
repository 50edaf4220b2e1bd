import { ReactWidget } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import { Clock } from '../clock';
import type { IActions } from '../components/context';
import { Surroundings } from '../components/context';
import { Panel } from '../components/Panel';
import { PANEL_ID } from '../ids';
import { gpuIcon } from '../icons';
import type { IRefill, IRemoteGPU } from '../tokens';

/** The sidebar. While it is hidden it does nothing. */
export class RemoteGPUPanel extends ReactWidget {
  constructor(private readonly options: RemoteGPUPanel.IOptions) {
    super();
    const { model, trans } = options;
    this.id = PANEL_ID;
    this.addClass('jp-RemoteGPU');
    this.title.icon = gpuIcon;
    this.title.caption = trans.__('Remote GPU');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Remote GPU'));
    this._clock = new Clock(() => model.now());
    this._surroundings = { trans, clock: this._clock };
    model.changed.connect(this._onChanged, this);
    options.refill?.changed.connect(this._onChanged, this);
  }

  /** Which folds are open. */
  get folds(): Readonly<Record<string, boolean>> {
    return this._folds;
  }

  set folds(value: Readonly<Record<string, boolean>>) {
    this._folds = value;
    this.update();
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this.options.model.changed.disconnect(this._onChanged, this);
    this.options.refill?.changed.disconnect(this._onChanged, this);
    this._watching?.dispose();
    this._clock.running = false;
    super.dispose();
  }

  protected override render(): JSX.Element {
    const { model, actions, refill } = this.options;
    return (
      <Surroundings.Provider value={this._surroundings}>
        <Panel
          view={{
            pods: model.snapshot?.pods ?? null,
            active: model.active,
            offers: refill?.offers ?? [],
            link: {
              link: model.link,
              reason: model.linkReason,
              since: model.linkSince,
              nextTry: model.nextTry,
              mismatch: model.mismatch
            },
            folds: this._folds,
            visible: this._watching !== null
          }}
          actions={actions}
          onFold={this._onFold}
        />
      </Surroundings.Provider>
    );
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._look(this.isVisible);
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._look(this.isVisible);
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this._look(false);
  }

  protected override onBeforeDetach(message: Message): void {
    this._look(false);
    super.onBeforeDetach(message);
  }

  /** Whoever opens the panel goes on in it. */
  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this.node
      .querySelector<HTMLElement>('.jp-RemoteGPU-panel')
      ?.focus({ preventScroll: true });
  }

  private _look(visible: boolean): void {
    if (visible === (this._watching !== null)) {
      return;
    }
    if (visible) {
      this._watching = this.options.model.watch(true);
    } else {
      this._watching?.dispose();
      this._watching = null;
    }
    this._clock.running = visible;
    // The last time before it hides, so that what asks by itself ends.
    this.update();
  }

  private _onChanged(): void {
    if (this._watching !== null) {
      this.update();
    }
  }

  private _onFold = (id: string, open: boolean): void => {
    this.folds = { ...this._folds, [id]: open };
    this.options.onFolds?.(this._folds);
  };

  private readonly _clock: Clock;
  private readonly _surroundings: { trans: TranslationBundle; clock: Clock };
  private _folds: Readonly<Record<string, boolean>> = {};
  private _watching: IDisposable | null = null;
}

export namespace RemoteGPUPanel {
  export interface IOptions {
    readonly model: IRemoteGPU;
    readonly trans: TranslationBundle;
    readonly actions: IActions;
    /** Null: there are no notebooks here. */
    readonly refill?: IRefill | null;
    /** Folds were opened or closed: they may be kept. */
    readonly onFolds?: (folds: Readonly<Record<string, boolean>>) => void;
  }
}
