import { ReactWidget } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { fileName } from '../cells';
import { Clock } from '../clock';
import { Surroundings, useNow, useTrans } from '../components/context';
import { Elapsed, look } from '../components/parts';
import { firstLine, foremostOf } from '../executions';
import { foremost, shortLink, shortState, troubled } from '../sentences';
import type { IRemoteGPU } from '../tokens';
import type { IPlacedExecution, IPod } from '../types';

/** The status bar's item: the pod's dot and name, and what runs. */
export class StatusItem extends ReactWidget {
  constructor(
    private readonly model: IRemoteGPU,
    private readonly trans: TranslationBundle,
    private readonly onClick: () => void
  ) {
    super();
    this.addClass('jp-RemoteGPU-statusItem');
    const clock = new Clock(() => model.now());
    clock.running = true;
    this._surroundings = { trans, clock };
    model.changed.connect(this._onChanged, this);
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.model.changed.disconnect(this._onChanged, this);
      this._surroundings.clock.running = false;
      super.dispose();
    }
  }

  protected override render(): JSX.Element {
    const { model, trans } = this;
    return (
      <Surroundings.Provider value={this._surroundings}>
        <button
          type="button"
          className="jp-RemoteGPU-status"
          title={trans.__('Remote GPU: open the panel')}
          onClick={this.onClick}
        >
          {shortLink(model.link, trans) ?? (
            <Status pods={model.pods} active={model.active} />
          )}
        </button>
      </Surroundings.Provider>
    );
  }

  private _onChanged(): void {
    this.update();
  }

  private readonly _surroundings: { trans: TranslationBundle; clock: Clock };
}

function Status(props: {
  pods: readonly IPod[];
  active: readonly IPlacedExecution[];
}): JSX.Element {
  const trans = useTrans();
  const { pods, active } = props;
  const pod = foremost(pods, active);
  const other = troubled(pods, pod);
  if (pod === null) {
    return <>{trans.__('Remote GPU')}</>;
  }
  const first = foremostOf(active);
  const runs = first?.state === 'running' ? first : null;
  return (
    <>
      <span className={look(pod.state)} aria-hidden="true" />
      <span>
        <ShortState pod={pod} />
      </span>
      {runs && (
        <span className="jp-RemoteGPU-num">
          {runs.notebook ? fileName(runs.notebook) : firstLine(runs.code)}
          {runs.started !== null && (
            <>
              {' '}
              <Elapsed since={runs.started} />
            </>
          )}
        </span>
      )}
      {active.length > 1 && <span>{`+${active.length - 1}`}</span>}
      {other && (
        <span>
          {'· '}
          <ShortState pod={other} />
        </span>
      )}
    </>
  );
}

function ShortState({ pod }: { pod: IPod }): JSX.Element {
  const trans = useTrans();
  return pod.state === 'reconnecting' ? (
    <Counting pod={pod} />
  ) : (
    <>{shortState(pod, 0, trans)}</>
  );
}

function Counting({ pod }: { pod: IPod }): JSX.Element {
  return <>{shortState(pod, useNow(), useTrans())}</>;
}
