import table from '../../tests/unit/refill-rule.json';
import { isDetached, sameText } from '../cells';
import { parseExecution } from '../parse';
import type { ICell, IShows } from '../refill/rule';
import { beganOf, decide, parseShows } from '../refill/rule';

interface ICase {
  readonly name: string;
  readonly cells: ReadonlyArray<{
    id: string | null;
    source: string;
    shows?: IShows;
    began?: string;
  }>;
  readonly executions: readonly unknown[];
  readonly times?: Record<string, number>;
  readonly gone?: readonly string[];
  readonly saved?: number;
  readonly decisions: ReadonlyArray<
    [string, string, number | null, string | null]
  >;
}

/** It is that of `tests/unit/test_matching.py` too. */
const CASES = table as unknown as ICase[];

describe('the rule of the refill', () => {
  it.each(CASES.map(each => [each.name, each] as const))('%s', (_, each) => {
    const cells = each.cells.map((told): ICell => ({
      id: told.id ?? '',
      source: told.source,
      shows: parseShows(told.shows),
      began: beganOf({ 'iopub.execute_input': told.began })
    }));
    const executions = each.executions.map(told => parseExecution(told)!);
    const made = decide(cells, executions, {
      times: new Map(Object.entries(each.times ?? {})),
      gone: new Set(each.gone),
      saved: each.saved
    }).map(({ action, reason, cell, execution }) => [
      action,
      reason,
      cell && cells.indexOf(cell),
      execution?.id ?? null
    ]);
    const placed = made.filter(([, , at]) => at !== null);
    placed.sort(([, , a], [, , b]) => Number(a) - Number(b));
    const offers = made.filter(([, , at]) => at === null);
    expect([...placed, ...offers]).toEqual(each.decisions);
  });

  it('offers all where cells have other ids each time', () => {
    const cell: ICell = { id: 'a', source: '%%gpu\nx', shows: null };
    const one = parseExecution({ id: 'one', code: 'x', meta: { cell: 'z' } })!;
    const [, made] = decide([cell], [one], { isWithoutIds: true });
    expect([made.action, made.reason]).toEqual(['offer', 'no-ids']);
  });

  it('knows no other time of a cell’s run than a date', () => {
    const key = 'iopub.execute_input';
    expect(beganOf({ [key]: '1970-01-01T00:00:02.500000Z' })).toBe(2.5);
    expect([undefined, {}, { [key]: 'soon' }, 'x'].map(beganOf)).toEqual(
      Array(4).fill(null)
    );
  });

  it.each([
    [null, null],
    ['x', null],
    [{ execution: '', state: 'complete' }, null],
    [{ execution: 'e' }, { execution: 'e', state: 'partial' }],
    [
      { execution: 'e', state: 'replaced', more: 1 },
      { execution: 'e', state: 'replaced' }
    ],
    [
      { execution: 'e', state: 'undone', asked: 5 },
      { execution: 'e', state: 'undone', asked: 5 }
    ],
    [
      { execution: 'e', state: 'complete', asked: 'x' },
      { execution: 'e', state: 'complete' }
    ]
  ])('reads the metadata %j', (value, expected) => {
    expect(parseShows(value)).toEqual(expected);
  });
});

describe('the text of a cell', () => {
  const long = 'y = 1\n'.repeat(20);

  it.each<[string, string, boolean]>([
    ['%%gpu\nx', 'x', true],
    ['%%gpu pod\nx\n\n', 'x\n', true],
    ['x', 'x', false],
    ['%%gpu\nxy', 'x', false],
    [`%%gpu\n${long}z`, long, true],
    [`%%gpu\n${long}`, long.slice(0, 110), false],
    [`%%gpu\n${long}`, `${long}z`, false]
  ])('%j ran %j: %s', (source, code, expected) => {
    expect(sameText(source, code)).toBe(expected);
  });

  it('is compared as a whole where the code is whole', () => {
    expect(sameText(`%%gpu\n${long}z`, long, true)).toBe(false);
    expect(sameText(`%%gpu\n${long}`, long, true)).toBe(true);
  });

  it.each([
    ['%%gpu --detach\nx', true],
    ['%%gpu pod --det\nx', true],
    ['%%gpu --\nx', false],
    ['%%gpu\n--detach', false]
  ])('%j is detached: %s', (source, expected) => {
    expect(isDetached(source)).toBe(expected);
  });
});
