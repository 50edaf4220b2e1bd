/** Notebooks that are large, or older than cell ids; `calm` fails on any exception. */
import { expect, panelOf, test } from './calm';
import {
  connect,
  open,
  output,
  reload,
  run,
  savedWhen,
  textOf,
  writeCells
} from './demo';

const CELL = `%%gpu
import time
for i in range(40):
    print('line', i, flush=True)
    time.sleep(0.25)`;
const ALL = [...Array(40).keys()].map(i => `line ${i}\n`).join('');

test.beforeAll(connect);

test('a notebook of 50 MB', async ({ page }) => {
  const stream = (text: string) => ({
    output_type: 'stream',
    name: 'stdout',
    text
  });
  const much = stream(`${'x'.repeat(99)}\n`.repeat(50_000));
  const large = [...Array(10).keys()].map(i => ({
    id: `b${i}`,
    source: 'print(1)',
    outputs: [much]
  }));
  writeCells('large.ipynb', [{ id: 'a0', source: CELL }, ...large]);
  await open(page, 'large.ipynb');
  await run(page);
  await expect(output(page)).toContainText('line 3\n');
  await reload(page);
  const { cells } = await savedWhen(page, 'large.ipynb', 'complete');
  expect(textOf(cells[0])).toBe(ALL);
  expect(textOf(cells[10])).toBe(much.text);
});

test('two cells that share an id', async ({ page }) => {
  const other = '%%gpu\nprint("other")';
  writeCells('shared.ipynb', [
    { id: 'same', source: other },
    { id: 'same', source: CELL }
  ]);
  await open(page, 'shared.ipynb');
  await run(page, 1);
  await expect(output(page, 1)).toContainText('line 3\n');
  await reload(page); // Jupyter gives the second one another id each time
  const panel = await panelOf(page);
  await expect(panel.getByText('not in the notebook any more')).toBeVisible();
  await panel.getByRole('button', { name: 'as a new cell' }).click();
  const { cells } = await savedWhen(page, 'shared.ipynb', 'complete', 2);
  expect(cells.slice(0, 2).map(({ outputs }) => outputs)).toEqual([[], []]);
  expect(textOf(cells[2])).toBe(ALL);
});

test('a notebook without ids says in the panel what it cannot place', async ({
  page
}) => {
  writeCells('without.ipynb', [{ source: CELL }], 4);
  await open(page, 'without.ipynb');
  await run(page);
  await expect(output(page)).toContainText('line 3\n');
  await reload(page);
  const panel = await panelOf(page);
  await expect(panel.getByText('keeps no cell ids')).toBeVisible();
  await panel.getByRole('button', { name: 'as a new cell' }).click();
  const { cells } = await savedWhen(page, 'without.ipynb', 'complete', 1);
  expect(textOf(cells[1])).toBe(ALL);
});
