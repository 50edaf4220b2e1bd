import * as React from 'react';

import { fileName } from '../cells';
import { firstLine } from '../executions';
import type { IPlacedExecution } from '../types';
import type { IActions } from './context';
import { useTrans } from './context';
import { Button, Elapsed } from './parts';

const SHOWN = 20;

/** What is queued or runs, oldest first. */
export function Running(props: {
  executions: readonly IPlacedExecution[];
  /** There is more than one pod: each row says which. */
  several: boolean;
  actions: IActions;
}): JSX.Element {
  const { executions, several, actions } = props;
  const trans = useTrans();
  if (executions.length === 0) {
    return <p className="jp-RemoteGPU-dim">{trans.__('Nothing runs.')}</p>;
  }
  const left = executions.length - SHOWN;
  return (
    <>
      <ul className="jp-RemoteGPU-list">
        {executions.slice(0, SHOWN).map(execution => (
          <li key={execution.id}>
            <Row execution={execution} several={several} actions={actions} />
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
  execution: IPlacedExecution;
  several: boolean;
  actions: IActions;
}) {
  const { execution, several, actions } = props;
  const trans = useTrans();
  const { count, started, state, linked } = execution;
  const line = firstLine(execution.code) || trans.__('(empty)');
  const told = [
    linked ? null : trans.__('Output will catch up'),
    linked && state === 'queued' ? trans.__('Queued') : null,
    execution.notebook === null ? null : fileName(execution.notebook),
    several ? execution.pod : null
  ];
  return (
    <>
      <button
        type="button"
        className="jp-RemoteGPU-goto"
        title={trans.__('Go to the cell')}
        onClick={() => actions.show(execution)}
      >
        <span className="jp-RemoteGPU-cut">
          <b>[{count ?? '*'}]</b> {line}
        </span>
        {started !== null && (
          <span className="jp-RemoteGPU-dim jp-RemoteGPU-num">
            <Elapsed since={started} />
          </span>
        )}
      </button>
      <div className="jp-RemoteGPU-row">
        <span className="jp-RemoteGPU-told jp-RemoteGPU-dim">
          {told.filter(Boolean).join(' · ')}
        </span>
        <Button
          className="jp-RemoteGPU-button jp-mod-small"
          aria-label={trans.__('Interrupt %1', line)}
          onClick={() => actions.interrupt(execution)}
        >
          {trans.__('Interrupt')}
        </Button>
      </div>
    </>
  );
});
