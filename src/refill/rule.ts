/*
 * Which cells of a notebook its executions complete: pure, and the same rule as
 * `jupyter_remote_gpu/client/matching.py`.
 */
import { isDetached, sameText } from '../cells';
import type { IExecution } from '../types';

/** The key of a cell's metadata: which execution it shows, and how far. */
export const KEY = 'remote_gpu';

export type State =
  /** The outputs are all of that execution. */
  | 'complete'
  /** Its end was not seen. */
  | 'partial'
  /** The user ran the cell again, or cleared it, since: it is not filled in again. */
  | 'replaced';

/** What a cell's metadata say. */
export interface IShows {
  readonly execution: string;
  readonly state: State;
}

/** A code cell, as far as the rule needs it. */
export interface ICell {
  readonly id: string;
  readonly source: string;
  readonly shows: IShows | null;
}

export type Decision<C extends ICell> =
  | {
      readonly action: 'fill';
      readonly reason: 'new' | 'partial' | 'newer';
      readonly cell: C;
      readonly execution: IExecution;
    }
  | {
      readonly action: 'offer';
      readonly reason: 'text' | 'gone' | 'shared-id' | 'no-ids';
      /** The cell whose text was edited. */
      readonly cell: C | null;
      readonly execution: IExecution;
    }
  | {
      readonly action: 'leave';
      readonly reason:
        'none' | 'complete' | 'replaced' | 'older' | 'detached' | 'shared-id';
      readonly cell: C;
      readonly execution: IExecution | null;
    };

/** What a metadata value of ours says; null for what is none. */
export function parseShows(value: unknown): IShows | null {
  const { execution, state } = (value ?? {}) as Record<string, unknown>;
  if (typeof execution !== 'string' || !execution) {
    return null;
  }
  const known = state === 'complete' || state === 'replaced';
  return { execution, state: known ? state : 'partial' };
}

/** A decision for each cell, and for each execution whose cell is gone. */
export function decide<C extends ICell>(
  cells: readonly C[],
  executions: readonly IExecution[]
): Decision<C>[] {
  const sorted = byRequest(executions);
  const ages = new Map(sorted.map(({ id }, age) => [id, age]));
  const newest = newestOf(sorted);
  const named = new Map<string, C[]>();
  for (const cell of cells.filter(({ id }) => id)) {
    named.set(cell.id, [...(named.get(cell.id) ?? []), cell]);
  }
  const made: Decision<C>[] = [];
  for (const [id, sharing] of named) {
    const candidate = newest.get(id);
    newest.delete(id);
    if (!candidate) {
      for (const cell of sharing) {
        made.push({ action: 'leave', reason: 'none', cell, execution: null });
      }
    } else if (sharing.length === 1) {
      made.push(judge(sharing[0], candidate, ages));
    } else {
      made.push(...shared(sharing, candidate, ages));
    }
  }
  const lost = named.size > 0 ? 'gone' : 'no-ids';
  for (const execution of newest.values()) {
    made.push({ action: 'offer', reason: lost, cell: null, execution });
  }
  return made;
}

/** The newest execution of each cell id that is named, the oldest of them first. */
function newestOf(sorted: readonly IExecution[]): Map<string, IExecution> {
  const newest = new Map<string, IExecution>();
  for (const execution of sorted) {
    if (execution.cell !== null && !execution.silent) {
      newest.delete(execution.cell);
      newest.set(execution.cell, execution);
    }
  }
  return newest;
}

/** Oldest first; of those of one moment as they were listed. */
export function byRequest(executions: readonly IExecution[]): IExecution[] {
  return [...executions].sort(
    (a, b) => (a.requested ?? 0) - (b.requested ?? 0)
  );
}

/** For the only cell that has the candidate's id. */
function judge<C extends ICell>(
  cell: C,
  execution: IExecution,
  ages: ReadonlyMap<string, number>
): Decision<C> {
  const reason = wanted(cell.shows, execution, ages);
  if (reason === 'complete' || reason === 'replaced' || reason === 'older') {
    return { action: 'leave', reason, cell, execution };
  }
  if (isDetached(cell.source)) {
    return { action: 'leave', reason: 'detached', cell, execution };
  }
  if (!sameText(cell.source, execution.code)) {
    return { action: 'offer', reason: 'text', cell, execution };
  }
  return { action: 'fill', reason, cell, execution };
}

/** Several cells share an id (older files): the only one with that text, else none. */
function shared<C extends ICell>(
  cells: readonly C[],
  execution: IExecution,
  ages: ReadonlyMap<string, number>
): Decision<C>[] {
  const known = cells.filter(({ shows }) => shows?.execution === execution.id);
  const fits = known.length
    ? known
    : cells.filter(({ source }) => sameText(source, execution.code));
  const alone = fits.length === 1 ? fits[0] : null;
  const made = cells.map((cell): Decision<C> =>
    cell === alone
      ? judge(cell, execution, ages)
      : { action: 'leave', reason: 'shared-id', cell, execution }
  );
  if (fits.length === 0 || (alone === null && known.length === 0)) {
    made.push({ action: 'offer', reason: 'shared-id', cell: null, execution });
  }
  return made;
}

/** By the cell's metadata. */
function wanted(
  shows: IShows | null,
  { id }: IExecution,
  ages: ReadonlyMap<string, number>
): 'new' | 'newer' | 'older' | State {
  if (shows === null) {
    return 'new';
  }
  if (shows.execution === id) {
    return shows.state;
  }
  return (ages.get(id) ?? 0) > (ages.get(shows.execution) ?? -1)
    ? 'newer'
    : 'older';
}
