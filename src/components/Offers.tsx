import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { firstLine } from '../executions';
import type { IOffer } from '../types';
import type { IActions } from './context';
import { useTrans } from './context';
import { Button } from './parts';

const SHOWN = 20;

/** Outputs that no cell of the notebook in front can take. */
export function Offers(props: {
  offers: readonly IOffer[];
  actions: IActions;
}): JSX.Element {
  const { offers, actions } = props;
  const trans = useTrans();
  const left = offers.length - SHOWN;
  return (
    <>
      <p className="jp-RemoteGPU-dim">
        {trans.__('For this notebook, kept from the pod.')}
      </p>
      {offers.length > 1 && (
        <div className="jp-RemoteGPU-buttons">
          <Button
            className="jp-RemoteGPU-button jp-mod-small"
            onClick={() =>
              offers.forEach(({ execution }) =>
                actions.dismissOffer(execution.id)
              )
            }
          >
            {trans.__('Dismiss all')}
          </Button>
        </div>
      )}
      <ul className="jp-RemoteGPU-list jp-mod-tall">
        {offers.slice(0, SHOWN).map(offer => (
          <li key={offer.execution.id}>
            <Row offer={offer} actions={actions} />
          </li>
        ))}
      </ul>
      {left > 0 && (
        <p className="jp-RemoteGPU-dim">
          {trans._n('and %1 more', 'and %1 more', left)}
        </p>
      )}
    </>
  );
}

const Row = React.memo(function Row(props: {
  offer: IOffer;
  actions: IActions;
}) {
  const { offer, actions } = props;
  const { id, code, count } = offer.execution;
  const trans = useTrans();
  const [busy, setBusy] = React.useState(false);
  const line = firstLine(code) || trans.__('(empty)');
  const insert = () => {
    if (!busy) {
      setBusy(true);
      void actions.insertOffer(id).finally(() => setBusy(false));
    }
  };
  return (
    <>
      <p className="jp-RemoteGPU-cut" title={code}>
        <b>[{count ?? ' '}]</b> {line}
      </p>
      <p className="jp-RemoteGPU-dim">{why(offer.reason, trans)}</p>
      <div className="jp-RemoteGPU-buttons">
        <Button
          className="jp-RemoteGPU-button jp-mod-small"
          aria-label={trans.__('Add %1 as a new cell', line)}
          aria-disabled={busy}
          onClick={insert}
        >
          {trans.__('Add as a new cell')}
        </Button>
        <Button
          className="jp-RemoteGPU-button jp-mod-small"
          aria-label={trans.__('Dismiss %1', line)}
          onClick={() => actions.dismissOffer(id)}
        >
          {trans.__('Dismiss')}
        </Button>
      </div>
    </>
  );
});

function why(reason: IOffer['reason'], trans: TranslationBundle): string {
  switch (reason) {
    case 'text':
      return trans.__('Its cell was edited since');
    case 'shared-id':
      return trans.__('Several cells share the id of its cell');
    case 'no-ids':
      return trans.__(
        'This notebook keeps no cell ids: it is of an older format'
      );
    case 'gone':
      return trans.__('Its cell is not in the notebook any more');
    case 'other':
      return trans.__(
        'Its cell shows a run of which nothing is known here: it may be newer'
      );
    case 'undone':
      return trans.__('You took it back in its cell');
    case 'gaps':
      return trans.__('Some of it was dropped, and its cell shows more');
  }
}
