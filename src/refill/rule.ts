/*
 * Which cells of a notebook its executions complete: pure, and the same rule as
 * `jupyter_remote_gpu/client/matching.py`; `tests/unit/refill-rule.json` has the cases of both.
 */
import { isDetached, sameText } from '../cells';
import type { IExecution, IOffer } from '../types';

/** The key of a cell's metadata: which execution it shows, and how far; and of the notebook's. */
export const KEY = 'remote_gpu';

export type State =
  /** The outputs are all of that execution. */
  | 'complete'
  /** Its end was not seen. */
  | 'partial'
  /** The user ran the cell again, or cleared it, since: it is not filled in again. */
  | 'replaced'
  /** The user took back what was filled in: it is offered. */
  | 'undone';

/** What a cell's metadata say. */
export interface IShows {
  readonly execution: string;
  readonly state: State;
  /** When that was asked for (`IExecution.asked`), also where nothing is known of it any more. */
  readonly asked?: number | null;
}

/** A code cell, as far as the rule needs it. */
export interface ICell {
  readonly id: string;
  readonly source: string;
  readonly shows: IShows | null;
  /** When it was run last, by whatever notes that (nbclient does, JupyterLab may). */
  readonly began?: number | null;
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
      readonly reason: IOffer['reason'];
      /** The cell that cannot take it. */
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

/** What is known beside the cells and the list. */
export interface IKnown {
  /** When other executions were asked for that cells show. */
  readonly times?: ReadonlyMap<string, number>;
  /** Cells that the notebook had, by their ids. */
  readonly gone?: ReadonlySet<string>;
  /** When the notebook was saved last, as it was opened: what ran since may be of an unsaved cell. */
  readonly saved?: number;
  /** Cells get other ids each time that the notebook is read: it is of an older format. */
  readonly isWithoutIds?: boolean;
}

/** What a metadata value of ours says; null for what is none. */
export function parseShows(value: unknown): IShows | null {
  const { execution, state, asked } = (value ?? {}) as Record<string, unknown>;
  if (typeof execution !== 'string' || !execution) {
    return null;
  }
  const known =
    state === 'complete' || state === 'replaced' || state === 'undone';
  return {
    execution,
    state: known ? state : 'partial',
    ...(typeof asked === 'number' ? { asked } : {})
  };
}

/** When a cell was run last, by its metadata; null: they do not say. */
export function beganOf(execution: unknown): number | null {
  const told = ((execution ?? {}) as Record<string, unknown>)[
    'iopub.execute_input'
  ];
  const at = typeof told === 'string' ? Date.parse(told) : NaN;
  return Number.isNaN(at) ? null : at / 1000;
}

/** A decision for each cell, and for each execution whose cell is gone. */
export function decide<C extends ICell>(
  cells: readonly C[],
  executions: readonly IExecution[],
  known: IKnown = {}
): Decision<C>[] {
  const ran = new Ran(executions, known);
  const newest = ran.newest();
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
      made.push(judge(sharing[0], candidate, ran));
    } else {
      made.push(...shared(sharing, candidate, ran));
    }
  }
  const hasIds = named.size > 0 && !known.isWithoutIds;
  const isOurs = ran.ours(cells);
  for (const execution of newest.values()) {
    if (!hasIds || isOurs(execution)) {
      const reason = hasIds ? 'gone' : 'no-ids';
      made.push({ action: 'offer', reason, cell: null, execution });
    }
  }
  return made;
}

/** Oldest first; of those of one moment as they were listed. */
export function byRequest(executions: readonly IExecution[]): IExecution[] {
  return [...executions].sort((a, b) => (a.asked ?? 0) - (b.asked ?? 0));
}

/** What a notebook ran. */
class Ran {
  constructor(
    executions: readonly IExecution[],
    private readonly known: IKnown
  ) {
    this._all = byRequest(executions);
    this._ages = new Map(this._all.map(({ id }, age) => [id, age]));
  }

  /** The newest execution of each cell id that is named, the oldest of them first. */
  newest(): Map<string, IExecution> {
    const newest = new Map<string, IExecution>();
    for (const execution of this._all) {
      if (execution.cell !== null && !execution.silent) {
        newest.delete(execution.cell);
        newest.set(execution.cell, execution);
      }
    }
    return newest;
  }

  /** Whether it was asked for after the one that is shown; null: nobody knows. */
  isNewer({ id, asked }: IExecution, shown: IShows): boolean | null {
    const age = this._ages.get(shown.execution);
    if (age !== undefined) {
      return (this._ages.get(id) ?? 0) > age;
    }
    // (Zero is no time either.)
    const then = shown.asked || this.known.times?.get(shown.execution);
    return then ? (asked ?? 0) > then : null;
  }

  /** Whether that text ran later where no cell ids are told: that may be this cell. */
  again(source: string, { id }: IExecution): boolean {
    return this._all
      .slice((this._ages.get(id) ?? 0) + 1)
      .some(
        ({ cell, silent, code }) =>
          cell === null && !silent && sameText(source, code)
      );
  }

  /**
   * Tells what a cell of this notebook ran that is gone; its path may be an older one's. The
   * notebook had the cell, one that it has shows it or ran in the same local kernel, or the file
   * is older.
   */
  ours(cells: readonly ICell[]): (ran: IExecution) => boolean {
    const { gone, saved } = this.known;
    const ids = new Set(cells.map(({ id }) => id));
    const shown = new Set(cells.map(({ shows }) => shows?.execution));
    const kernels = new Set(
      this._all
        .filter(({ cell }) => cell && ids.has(cell))
        .map(({ localKernel }) => localKernel)
    );
    return ({ id, cell, localKernel, asked }) =>
      !!gone?.has(cell ?? '') ||
      shown.has(id) ||
      (localKernel !== null && kernels.has(localKernel)) ||
      (asked ?? 0) > (saved ?? Infinity);
  }

  private readonly _all: readonly IExecution[];
  private readonly _ages: ReadonlyMap<string, number>;
}

/** For the only cell that has the candidate's id. */
function judge<C extends ICell>(
  cell: C,
  execution: IExecution,
  ran: Ran
): Decision<C> {
  const { source, shows, began } = cell;
  const reason = wanted(shows, execution, ran);
  if (reason === 'complete' || reason === 'replaced' || reason === 'older') {
    return { action: 'leave', reason, cell, execution };
  }
  if (isDetached(source)) {
    return { action: 'leave', reason: 'detached', cell, execution };
  }
  if ((began ?? 0) > (execution.asked ?? 0) || ran.again(source, execution)) {
    return { action: 'leave', reason: 'replaced', cell, execution };
  }
  if (!sameText(source, execution.code)) {
    return { action: 'offer', reason: 'text', cell, execution };
  }
  return reason === 'other' || reason === 'undone'
    ? { action: 'offer', reason, cell, execution }
    : { action: 'fill', reason, cell, execution };
}

/** Several cells share an id (older files): the only one with that text, else none. */
function shared<C extends ICell>(
  cells: readonly C[],
  execution: IExecution,
  ran: Ran
): Decision<C>[] {
  const known = cells.filter(({ shows }) => shows?.execution === execution.id);
  const fits = known.length
    ? known
    : cells.filter(({ source }) => sameText(source, execution.code));
  const alone = fits.length === 1 ? fits[0] : null;
  const made = cells.map((cell): Decision<C> =>
    cell === alone
      ? judge(cell, execution, ran)
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
  execution: IExecution,
  ran: Ran
): 'new' | 'newer' | 'older' | 'other' | State {
  if (shows === null) {
    return 'new';
  }
  if (shows.execution === execution.id) {
    return shows.state;
  }
  const isNewer = ran.isNewer(execution, shows);
  return isNewer === null ? 'other' : isNewer ? 'newer' : 'older';
}
