import * as React from 'react';

import { elapsed } from '../sentences';
import type { IPod } from '../types';
import { useNow } from './context';

/** A section that can be folded; its heading is the button. */
export function Fold(props: {
  id: string;
  title: string;
  /** At the right of the heading. */
  aside?: React.ReactNode;
  open: boolean;
  onToggle: (id: string, open: boolean) => void;
  children: React.ReactNode;
}): JSX.Element {
  const { id, title, aside, open, onToggle, children } = props;
  const body = `jp-RemoteGPU-fold-${id}`;
  return (
    <section className="jp-RemoteGPU-section">
      <div className="jp-RemoteGPU-head">
        <h3>
          <button
            type="button"
            className="jp-RemoteGPU-fold"
            aria-expanded={open}
            aria-controls={body}
            onClick={() => onToggle(id, !open)}
          >
            {title}
          </button>
        </h3>
        {aside}
      </div>
      <div id={body} hidden={!open}>
        {open && children}
      </div>
    </section>
  );
}

/** What somebody should know or do, with a way on. */
export function Callout(props: {
  kind: 'warn' | 'error' | 'ask';
  children: React.ReactNode;
  /** Buttons. */
  way?: React.ReactNode;
}): JSX.Element {
  return (
    <div className={`jp-RemoteGPU-callout jp-mod-${props.kind}`}>
      <div>{props.children}</div>
      {props.way && <div className="jp-RemoteGPU-buttons">{props.way}</div>}
    </div>
  );
}

export function Button(
  props: React.ButtonHTMLAttributes<HTMLButtonElement> & { main?: boolean }
): JSX.Element {
  const { main, className, ...rest } = props;
  const kind = className ?? 'jp-RemoteGPU-button';
  return (
    <button
      type="button"
      {...rest}
      className={main ? `${kind} jp-mod-main` : kind}
    />
  );
}

const LOOKS: Record<IPod['state'], string> = {
  disconnected: 'off',
  connecting: 'warn',
  'host-key': 'off',
  preparing: 'warn',
  connected: 'ok',
  reconnecting: 'warn',
  failed: 'error'
};

/** The class of a pod's dot. */
export function look(state: IPod['state']): string {
  return `jp-RemoteGPU-dot jp-mod-${LOOKS[state]}`;
}

/** The time since `since`, as it goes on. */
export function Elapsed({ since }: { since: number }): JSX.Element {
  return <>{elapsed(useNow() - since)}</>;
}
