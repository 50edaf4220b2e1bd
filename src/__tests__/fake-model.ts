import { Signal } from '@lumino/signaling';

import { parseExecution, parseOutputs } from '../parse';
import type { Link } from '../tokens';
import type { IExecution, IOutputs, ISnapshot } from '../types';

/** The model as far as a refill uses it. */
export class FakeModel {
  readonly changed = new Signal<this, void>(this);
  snapshot: ISnapshot | null = null;
  link: Link = 'ok';
  listed: IExecution[] = [];
  said = new Map<string, Record<string, unknown>>();
  now = () => 5000;
  refresh = jest.fn().mockResolvedValue(undefined);
  executions = jest.fn(() => Promise.resolve(this.listed));
  execution = jest.fn((): Promise<IExecution | null> => Promise.resolve(null));
  outputs = jest.fn((id: string): Promise<IOutputs | null> =>
    Promise.resolve(
      parseOutputs(
        { execution: { id, requested: 1000 }, code: 'x', ...this.said.get(id) },
        '"1"'
      )
    )
  );

  ran(id: string, fields: Record<string, unknown> = {}): void {
    this.listed.push(
      parseExecution({
        id,
        code: 'x',
        requested: 1000,
        started: 1000,
        state: 'ended',
        meta: { cell: 'a', msg_id: `msg-${id}` },
        ...fields
      })!
    );
  }
}
