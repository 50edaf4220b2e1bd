import { isDetached, sameText } from '../cells';
import type { ICell, State } from '../refill/rule';
import { decide, parseShows } from '../refill/rule';
import { parseExecution } from '../parse';
import type { IExecution } from '../types';

function ran(id: string, fields: Record<string, unknown> = {}): IExecution {
  const { meta, ...rest } = fields;
  return parseExecution({
    id,
    code: 'x',
    requested: 1,
    outcome: 'ok',
    meta: { cell: 'a', ...(meta as object) },
    ...rest
  })!;
}

function cell(shows?: [string, State], fields: Partial<ICell> = {}): ICell {
  return {
    id: 'a',
    source: '%%gpu\nx',
    shows: shows ? { execution: shows[0], state: shows[1] } : null,
    ...fields
  };
}

const told = (cells: ICell[], executions: IExecution[]) =>
  decide(cells, executions).map(
    ({ action, reason, execution }) =>
      `${action} ${reason} ${execution?.id ?? '-'}`
  );

const two = [ran('one'), ran('two', { requested: 2 })];

describe('the rule of the refill', () => {
  it.each<[string, ICell, IExecution[], string]>([
    ['nothing ran', cell(), [], 'leave none -'],
    ['without metadata', cell(), two, 'fill new two'],
    ['however it is listed', cell(), [...two].reverse(), 'fill new two'],
    ['the newer of one moment', cell(), [ran('one'), ran('b')], 'fill new b'],
    ['complete', cell(['two', 'complete']), two, 'leave complete two'],
    ['replaced', cell(['two', 'replaced']), two, 'leave replaced two'],
    ['partial', cell(['two', 'partial']), two, 'fill partial two'],
    ['an older one shown', cell(['one', 'replaced']), two, 'fill newer two'],
    ['an unknown one shown', cell(['x', 'complete']), two, 'fill newer two'],
    [
      'a newer one shown',
      cell(['two', 'complete'], { id: 'a' }),
      [ran('one'), ran('two', { requested: 2, meta: { cell: 'b' } })],
      'leave older one'
    ],
    [
      'silent ones are nobody’s',
      cell(),
      [ran('one'), ran('s', { requested: 2, meta: { silent: true } })],
      'fill new one'
    ],
    [
      'detached',
      cell(undefined, { source: '%%gpu --detach\nx' }),
      two,
      'leave detached two'
    ],
    ['edited', cell(undefined, { source: '%%gpu\ny' }), two, 'offer text two'],
    ['no magic', cell(undefined, { source: 'x' }), two, 'offer text two'],
    [
      'edited after it was filled',
      cell(['two', 'complete'], { source: '%%gpu\ny' }),
      two,
      'leave complete two'
    ]
  ])('%s', (_, one, executions, expected) => {
    expect(told([one], executions)[0]).toBe(expected);
  });

  it('offers the newest of each cell that is gone', () => {
    const other = cell(undefined, { id: 'b' });
    expect(told([other], two)).toEqual(['leave none -', 'offer gone two']);
    expect(told([cell(undefined, { id: '' })], two)).toEqual([
      'offer no-ids two'
    ]);
  });

  it('fills of cells that share an id the one with the text', () => {
    const edited = cell(undefined, { source: '%%gpu\ny' });
    expect(told([edited, cell()], two)).toEqual([
      'leave shared-id two',
      'fill new two'
    ]);
    expect(told([cell(), cell()], two)).toEqual([
      'leave shared-id two',
      'leave shared-id two',
      'offer shared-id two'
    ]);
    expect(told([cell(), cell(['two', 'partial'])], two)).toEqual([
      'leave shared-id two',
      'fill partial two'
    ]);
    expect(told([edited, edited], two).at(-1)).toBe('offer shared-id two');
  });

  it.each([
    [null, null],
    ['x', null],
    [{ execution: '', state: 'complete' }, null],
    [{ execution: 'e' }, { execution: 'e', state: 'partial' }],
    [
      { execution: 'e', state: 'replaced', more: 1 },
      { execution: 'e', state: 'replaced' }
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
