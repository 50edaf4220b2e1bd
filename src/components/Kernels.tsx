import * as React from 'react';

import { fileName } from '../cells';
import { errorSentence, rough, size } from '../sentences';
import type { IKernelList, IKernelRow } from '../types';
import type { IActions } from './context';
import { useTrans } from './context';
import { Button, Callout } from './parts';

/** So many at first, and so many more at a time. */
const PAGE = 20;
const AGAIN_MS = 30_000;

/**
 * The kernels on the pods. They are asked for when this is shown, when `version` changes, and
 * from time to time while `visible`: somebody looks, and there is a server to be asked.
 */
export function Kernels(props: {
  version: string;
  visible: boolean;
  several: boolean;
  actions: IActions;
}): JSX.Element {
  const { version, visible, several, actions } = props;
  const trans = useTrans();
  const [list, setList] = React.useState<IKernelList | null>(null);
  const [error, setError] = React.useState('');
  const [shown, setShown] = React.useState(PAGE);
  const asked = React.useRef(0);
  const waits = React.useRef(false);

  const ask = React.useCallback(async () => {
    const number = ++asked.current;
    const newest = () => number === asked.current;
    waits.current = true;
    try {
      const found = await actions.kernels();
      if (newest()) {
        setList(found);
        setError('');
      }
    } catch (reason) {
      if (newest()) {
        setError(errorSentence(reason, trans));
      }
    } finally {
      if (newest()) {
        waits.current = false;
      }
    }
  }, [actions, trans]);

  React.useEffect(() => {
    if (!visible) {
      return;
    }
    void ask();
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible' && !waits.current) {
        void ask();
      }
    }, AGAIN_MS);
    return () => {
      clearInterval(timer);
      asked.current += 1;
    };
  }, [ask, version, visible]);

  const rows = React.useMemo(() => sorted(list?.kernels ?? []), [list]);
  const after = async (work: Promise<boolean>) => {
    if (await work) {
      void ask();
    }
  };
  return (
    <>
      {error && (
        <Callout
          kind="error"
          way={
            <Button onClick={() => void ask()}>{trans.__('Try again')}</Button>
          }
        >
          {error}
        </Callout>
      )}
      {list?.errors.map(([pod, sentence]) => (
        <Callout key={pod} kind="warn">
          {pod}: {sentence}
        </Callout>
      ))}
      {!list && !error && (
        <p className="jp-RemoteGPU-dim">{trans.__('Asking the pods…')}</p>
      )}
      {list && rows.length === 0 && (
        <p className="jp-RemoteGPU-dim">
          {trans.__('No kernels. A cell with %1 starts one.', '%%gpu')}
        </p>
      )}
      <ul className="jp-RemoteGPU-list">
        {rows.slice(0, shown).map(kernel => (
          <li key={`${kernel.pod}/${kernel.id}`}>
            <Row
              kernel={kernel}
              several={several}
              onRestart={() => after(actions.restart(kernel))}
              onStop={() => after(actions.stop(kernel))}
            />
          </li>
        ))}
      </ul>
      {rows.length > shown && (
        <div className="jp-RemoteGPU-buttons">
          <Button onClick={() => setShown(shown + PAGE)}>
            {trans.__('Show more (%1 of %2)', shown, rows.length)}
          </Button>
        </div>
      )}
    </>
  );
}

function Row(props: {
  kernel: IKernelRow;
  several: boolean;
  onRestart: () => Promise<void>;
  onStop: () => Promise<void>;
}): JSX.Element {
  const { kernel, several, onRestart, onStop } = props;
  const trans = useTrans();
  // It may take a while until a kernel has ended.
  const [busy, setBusy] = React.useState(false);
  const press = (work: () => Promise<void>) => {
    if (!busy) {
      setBusy(true);
      void work().finally(() => setBusy(false));
    }
  };
  const name = kernel.notebook
    ? fileName(kernel.notebook)
    : kernel.displayName || trans.__('Kernel %1', kernel.id.slice(0, 8));
  const facts = [
    several ? kernel.pod : null,
    kernelState(kernel, trans),
    kernel.age === null ? null : rough(kernel.age, trans),
    kernel.memory === null ? null : size(kernel.memory, trans),
    kernel.gpuMemory === null
      ? null
      : trans.__('GPU %1', size(kernel.gpuMemory, trans))
  ];
  const dead = kernel.alive === false && !kernel.orphan;
  return (
    <>
      <div className="jp-RemoteGPU-row">
        <span
          className={`jp-RemoteGPU-dot jp-mod-${kernel.alive && !kernel.stale ? 'ok' : 'off'}`}
          aria-hidden="true"
        />
        <span
          className="jp-RemoteGPU-cut"
          title={kernel.notebook ?? kernel.displayName}
        >
          {name}
        </span>
      </div>
      <p className="jp-RemoteGPU-dim jp-RemoteGPU-num">
        {facts.filter(Boolean).join(' · ')}
      </p>
      {!dead && (
        <div className="jp-RemoteGPU-buttons">
          {kernel.notebook && !kernel.orphan && (
            <Button
              className="jp-RemoteGPU-button jp-mod-small"
              aria-label={trans.__('Restart the kernel of %1…', name)}
              aria-disabled={busy}
              onClick={() => press(onRestart)}
            >
              {trans.__('Restart…')}
            </Button>
          )}
          <Button
            className="jp-RemoteGPU-button jp-mod-small"
            aria-label={trans.__('Stop the kernel of %1…', name)}
            aria-disabled={busy}
            onClick={() => press(onStop)}
          >
            {trans.__('Stop…')}
          </Button>
        </div>
      )}
    </>
  );
}

function kernelState(
  kernel: IKernelRow,
  trans: ReturnType<typeof useTrans>
): string | null {
  if (kernel.orphan) {
    return trans.__('Its keeper is gone');
  }
  if (kernel.alive === false) {
    return trans.__('Ended');
  }
  return kernel.stale || kernel.alive === null
    ? trans.__('As known last')
    : null;
}

/** Those that live first, then the youngest. */
function sorted(kernels: readonly IKernelRow[]): IKernelRow[] {
  const rank = (kernel: IKernelRow) => (kernel.alive === false ? 1 : 0);
  const age = (kernel: IKernelRow) => kernel.age ?? Infinity;
  return [...kernels].sort((a, b) => rank(a) - rank(b) || age(a) - age(b) || 0);
}
