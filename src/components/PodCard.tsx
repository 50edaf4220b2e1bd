import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { lostSentence, stateLine } from '../sentences';
import type { IPod } from '../types';
import type { IActions } from './context';
import { useNow, useTrans } from './context';
import { Button, Callout, look } from './parts';

interface IProps {
  readonly pod: IPod;
  /** A cell of the user's is queued or runs there. */
  readonly runs: boolean;
  readonly actions: IActions;
}

/** One pod: how it is, and the way on. */
export const PodCard = React.memo(function PodCard(props: IProps) {
  const { pod, actions } = props;
  const trans = useTrans();
  const [more, setMore] = React.useState(false);
  const asks = pod.state === 'host-key' && pod.hostKey !== null;
  const told = pod.state === 'reconnecting' || pod.state === 'failed' || asks;
  return (
    <div
      className="jp-RemoteGPU-pod"
      data-pod={pod.name}
      role="group"
      aria-label={trans.__('Pod %1', pod.name)}
    >
      <div className="jp-RemoteGPU-row jp-mod-wraps">
        <span className={look(pod.state)} aria-hidden="true" />
        <span
          className="jp-RemoteGPU-name"
          title={`${pod.name} (${pod.address})`}
        >
          {pod.name}
        </span>
        <span className="jp-RemoteGPU-buttonsHere">
          {!asks && <MainButton {...props} />}
          <Button
            className="jp-RemoteGPU-icon"
            aria-expanded={more}
            aria-label={trans.__('More about %1', pod.name)}
            title={trans.__('More')}
            onClick={() => setMore(!more)}
          >
            ⋯
          </Button>
        </span>
      </div>
      {!told && (
        <p className="jp-RemoteGPU-dim jp-RemoteGPU-num">
          {stateLine(pod, trans)}
        </p>
      )}
      <Trouble {...props} />
      {pod.warnings.map(warning => (
        <Callout key={warning} kind="warn">
          {warning}
        </Callout>
      ))}
      {more && (
        <>
          <p className="jp-RemoteGPU-dim jp-RemoteGPU-text">{pod.address}</p>
          <div className="jp-RemoteGPU-buttons">
            <Button onClick={() => actions.showLog(pod.name)}>
              {trans.__('Show log')}
            </Button>
            <Button onClick={() => actions.remove(pod)}>
              {trans.__('Remove…')}
            </Button>
          </div>
        </>
      )}
    </div>
  );
});

function MainButton({ pod, actions }: IProps): JSX.Element {
  const trans = useTrans();
  const connect = () => actions.connect(pod.name);
  const disconnect = () => actions.disconnect(pod.name);
  const labels: Record<IPod['state'], [string, () => void]> = {
    disconnected: [trans.__('Connect'), connect],
    'host-key': [trans.__('Connect'), connect],
    connecting: [trans.__('Cancel'), disconnect],
    preparing: [trans.__('Cancel'), disconnect],
    connected: [trans.__('Disconnect'), disconnect],
    reconnecting: [trans.__('Disconnect'), disconnect],
    failed: [trans.__('Try again'), connect]
  };
  const [label, onClick] = labels[pod.state];
  return (
    <Button data-pod-main={pod.name} onClick={onClick}>
      {label}
    </Button>
  );
}

/** Why it is not connected, where there is something to say about it. */
function Trouble({ pod, runs, actions }: IProps): JSX.Element | null {
  const trans = useTrans();
  switch (pod.state) {
    case 'reconnecting':
      return <Lost pod={pod} runs={runs} actions={actions} />;
    case 'host-key':
      return pod.hostKey ? (
        <HostKey
          pod={pod}
          fingerprint={pod.hostKey.fingerprint}
          actions={actions}
        />
      ) : null;
    case 'failed':
      return (
        <Callout kind="error" way={wayOn(pod, actions, trans)}>
          {pod.reason ?? trans.__('It did not work. The log may say why.')}
        </Callout>
      );
    default:
      // While it is on its way or off, the server may say what goes on.
      return pod.reason ? (
        <p className="jp-RemoteGPU-dim jp-RemoteGPU-text">{pod.reason}</p>
      ) : null;
  }
}

/** What mends it, beside trying again. */
function wayOn(
  pod: IPod,
  actions: IActions,
  trans: TranslationBundle
): React.ReactNode {
  if (isGoneDemo(pod)) {
    return <StartAgain actions={actions} />;
  }
  switch (pod.code) {
    case 'key-refused':
      return (
        <Button onClick={() => actions.copyKey(pod.name)}>
          {trans.__('Copy public key')}
        </Button>
      );
    case 'host-key-changed':
      return (
        <Button onClick={() => actions.remove(pod)}>
          {trans.__('Remove…')}
        </Button>
      );
    default:
      return null;
  }
}

/** The pod on this machine listens as long as it is there, also while its network is cut. */
function isGoneDemo({ name, address, code }: IPod): boolean {
  return (
    name === 'demo' && address.includes('@127.0.0.1:') && code === 'refused'
  );
}

function StartAgain({ actions }: { actions: IActions }): JSX.Element {
  const trans = useTrans();
  return (
    <Button onClick={actions.startDemoAgain}>
      {trans.__('Start it again')}
    </Button>
  );
}

function Lost({ pod, runs, actions }: IProps): JSX.Element {
  const trans = useTrans();
  const now = useNow();
  return (
    <Callout
      kind="warn"
      way={
        <>
          <Button onClick={() => actions.connect(pod.name)}>
            {trans.__('Try now')}
          </Button>
          {isGoneDemo(pod) && <StartAgain actions={actions} />}
        </>
      }
    >
      <p className="jp-RemoteGPU-num">{lostSentence(pod, runs, now, trans)}</p>
      {pod.reason && <p className="jp-RemoteGPU-small">{pod.reason}</p>}
    </Callout>
  );
}

function HostKey(props: {
  pod: IPod;
  fingerprint: string;
  actions: IActions;
}): JSX.Element {
  const { pod, fingerprint, actions } = props;
  const trans = useTrans();
  return (
    <Callout
      kind="ask"
      way={
        <>
          <Button
            main
            data-pod-main={pod.name}
            onClick={() => actions.connect(pod.name, fingerprint)}
          >
            {trans.__('Yes, connect')}
          </Button>
          <Button onClick={() => actions.disconnect(pod.name)}>
            {trans.__('No')}
          </Button>
        </>
      }
    >
      <p>{trans.__("First time here. Is this your pod's key?")}</p>
      <code>{fingerprint}</code>
      <p className="jp-RemoteGPU-small">
        {trans.__(
          "Compare it with the pod's log at your provider. If you trust it, that machine can act as you in JupyterLab."
        )}
      </p>
    </Callout>
  );
}
