import * as React from 'react';

import { isAway } from '../tokens';
import type { IOffer, IPlacedExecution, IPod } from '../types';
import { AddPod } from './AddPod';
import type { IActions } from './context';
import { useTrans } from './context';
import { Kernels } from './Kernels';
import type { ILinkView } from './LinkCallout';
import { LinkCallout } from './LinkCallout';
import { Offers } from './Offers';
import { Fold } from './parts';
import { PodCard } from './PodCard';
import { Running } from './Running';
import { useAnnouncement, useKeptFocus } from './speech';

export interface IPanelView {
  /** Null: nobody has told yet. */
  readonly pods: readonly IPod[] | null;
  readonly active: readonly IPlacedExecution[];
  readonly offers: readonly IOffer[];
  readonly link: ILinkView;
  /** Which folds are open; those not named are as they are at first. */
  readonly folds: Readonly<Record<string, boolean>>;
  readonly visible: boolean;
}

const AT_FIRST: Record<string, boolean> = {
  pods: true,
  running: true,
  kernels: false,
  offers: true
};

/** The whole panel. */
export function Panel(props: {
  view: IPanelView;
  actions: IActions;
  onFold: (id: string, open: boolean) => void;
}): JSX.Element {
  const { view, actions, onFold } = props;
  const trans = useTrans();
  const root = React.useRef<HTMLDivElement>(null);
  const said = useAnnouncement(view);
  useKeptFocus(root);
  return (
    <div ref={root} className="jp-RemoteGPU-panel" tabIndex={-1}>
      <div className="jp-RemoteGPU-said" role="status" aria-live="polite">
        {said}
      </div>
      <LinkCallout view={view.link} actions={actions} />
      {view.pods === null ? (
        view.link.link === 'unknown' || view.link.link === 'ok' ? (
          <p className="jp-RemoteGPU-dim">{trans.__('One moment…')}</p>
        ) : null
      ) : view.pods.length === 0 ? (
        <FirstTime actions={actions} />
      ) : (
        <Sections
          {...view}
          pods={view.pods}
          actions={actions}
          onFold={onFold}
        />
      )}
      {view.offers.length > 0 && (
        <Fold
          id="offers"
          title={trans.__('Output without a cell')}
          aside={<Count of={view.offers.length} />}
          open={view.folds.offers ?? AT_FIRST.offers}
          onToggle={onFold}
        >
          <Offers offers={view.offers} actions={actions} />
        </Fold>
      )}
    </div>
  );
}

function FirstTime({ actions }: { actions: IActions }): JSX.Element {
  const trans = useTrans();
  return (
    <section className="jp-RemoteGPU-section">
      <div className="jp-RemoteGPU-head">
        <h3>{trans.__('Remote GPU')}</h3>
      </div>
      <p>{trans.__('Run cells on a rented GPU, keep working here.')}</p>
      <AddPod actions={actions} />
    </section>
  );
}

function Sections(
  props: IPanelView & {
    pods: readonly IPod[];
    actions: IActions;
    onFold: (id: string, open: boolean) => void;
  }
): JSX.Element {
  const { pods, active, actions, folds, link, onFold, visible } = props;
  const trans = useTrans();
  const [adding, setAdding] = React.useState(false);
  const plus = React.useRef<HTMLButtonElement>(null);
  const busy = new Set(active.map(execution => execution.pod));
  const fold = (id: string) => ({
    id,
    open: folds[id] ?? AT_FIRST[id],
    onToggle: onFold
  });
  const toggle = () => {
    if (!(folds.pods ?? AT_FIRST.pods)) {
      onFold('pods', true);
    }
    setAdding(!adding);
  };
  const done = React.useCallback((focus: boolean) => {
    setAdding(false);
    if (focus) {
      plus.current?.focus();
    }
  }, []);
  return (
    <>
      <Fold
        {...fold('pods')}
        title={pods.length > 1 ? trans.__('Pods') : trans.__('Pod')}
        aside={
          <button
            ref={plus}
            type="button"
            className="jp-RemoteGPU-icon"
            aria-expanded={adding}
            aria-label={trans.__('Add a pod')}
            title={trans.__('Add a pod')}
            onClick={toggle}
          >
            +
          </button>
        }
      >
        {adding && <AddPod actions={actions} onDone={done} />}
        {pods.map(pod => (
          <PodCard
            key={pod.name}
            pod={pod}
            runs={busy.has(pod.name)}
            actions={actions}
          />
        ))}
      </Fold>
      <Fold
        {...fold('running')}
        title={trans.__('Running')}
        aside={<Count of={active.length} />}
      >
        <Running
          executions={active}
          several={pods.length > 1}
          actions={actions}
        />
      </Fold>
      <Fold {...fold('kernels')} title={trans.__('Kernels')}>
        <Kernels
          version={kernelVersion(pods)}
          visible={visible && !isAway(link.link)}
          several={pods.length > 1}
          actions={actions}
        />
      </Fold>
    </>
  );
}

function Count({ of }: { of: number }): JSX.Element | null {
  return of > 0 ? <span className="jp-RemoteGPU-dim">{of}</span> : null;
}

/** Differs when a kernel came or went, or a pod was connected. */
function kernelVersion(pods: readonly IPod[]): string {
  return pods
    .map(({ name, state, kernels }) => {
      const ids = kernels.map(({ id, alive }) => `${id}${String(alive)}`);
      return `${name} ${String(state === 'connected')} ${ids.join()}`;
    })
    .join(';');
}
