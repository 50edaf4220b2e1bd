import * as React from 'react';

import { loggedOut, nextSentence, oddAnswer, rough } from '../sentences';
import type { Link } from '../tokens';
import type { IActions } from './context';
import { useNow, useTrans } from './context';
import { Button, Callout } from './parts';

const INSTALL = 'python -m pip install -U jupyter-remote-gpu';
const ENABLE = 'jupyter server extension enable jupyter_remote_gpu';

export interface ILinkView {
  readonly link: Link;
  readonly reason: string;
  /** Milliseconds since the epoch, both. */
  readonly since: number;
  readonly nextTry: number | null;
  readonly mismatch: { readonly page: string; readonly server: string } | null;
}

/** Why the server's part cannot be asked, and what mends it; nothing while all is well. */
export function LinkCallout(props: {
  view: ILinkView;
  actions: IActions;
}): JSX.Element | null {
  const { view, actions } = props;
  const trans = useTrans();
  const reload = (
    <Button onClick={actions.reloadPage}>{trans.__('Reload the page')}</Button>
  );
  if (view.link === 'ok' || view.link === 'unknown') {
    return view.mismatch ? (
      <Callout kind="warn" way={reload}>
        {trans.__(
          'This page has jupyter-remote-gpu %1, the server %2. Reload the page; if this stays, run pip install -U jupyter-remote-gpu for the server and start it anew.',
          view.mismatch.page,
          view.mismatch.server
        )}
      </Callout>
    ) : null;
  }
  if (view.link === 'logged-out') {
    return (
      <Callout kind="error" way={reload}>
        {loggedOut(trans)}
      </Callout>
    );
  }
  return (
    <Callout
      kind={view.link === 'server-gone' ? 'warn' : 'error'}
      way={<Button onClick={actions.tryServer}>{trans.__('Try now')}</Button>}
    >
      <Sentence view={view} />
    </Callout>
  );
}

function Sentence({ view }: { view: ILinkView }): JSX.Element {
  const trans = useTrans();
  // By this page's own clock: no server is asked for the time.
  useNow();
  const now = Date.now() / 1000;
  switch (view.link) {
    case 'server-gone':
      return (
        <p className="jp-RemoteGPU-num">
          {trans.__(
            'The Jupyter server has not answered for %1. What runs on the pods runs on.',
            rough(now - view.since / 1000, trans)
          )}{' '}
          {nextSentence(
            view.nextTry === null ? null : view.nextTry / 1000,
            now,
            trans
          )}
        </p>
      );
    case 'no-extension':
      return (
        <>
          <p>
            {trans.__(
              'The Jupyter server does not have its part of jupyter-remote-gpu. In a terminal on its machine, with its Python:'
            )}
          </p>
          <code>{INSTALL}</code>
          <br />
          <code>{ENABLE}</code>
          <p>{trans.__('Then start the server anew.')}</p>
        </>
      );
    default:
      return <p>{view.reason || oddAnswer(trans)}</p>;
  }
}
