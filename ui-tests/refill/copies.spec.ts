import { expect, test } from './calm';
import {
  PATIENCE,
  ask,
  connect,
  open,
  output,
  reload,
  run,
  saved,
  savedWhen,
  textOf,
  write
} from './demo';

const LINES = 60;
const CELL = `%%gpu
import time
for i in range(${LINES}):
    print('line', i, flush=True)
    time.sleep(0.25)`;
const ALL = [...Array(LINES).keys()].map(i => `line ${i}\n`).join('');

test.beforeAll(connect);

test('two tabs on one notebook both show all of it', async ({
  page,
  context
}) => {
  write('two.ipynb', CELL);
  await open(page, 'two.ipynb');
  await run(page);
  await expect(output(page)).toContainText('line 3\n');
  const other = await context.newPage();
  await open(other, 'two.ipynb');
  await expect(output(other)).toContainText('line 12\n');
  for (const each of [page, other]) {
    await expect(output(each)).toHaveText(ALL);
  }
  // What the first one's own request delivered is not marked as filled in.
  await expect(page.getByText('Output completed')).toHaveCount(0);
  await expect(other.getByText('Output completed')).toHaveCount(1);
  const { cells } = await savedWhen(page, 'two.ipynb', 'complete');
  expect(textOf(cells[0])).toBe(ALL);
  expect(cells[0].outputs).toHaveLength(1);
});

test('two tabs that save by themselves', async ({ page, context }) => {
  const settings = '@jupyterlab/docmanager-extension:plugin';
  const every = (seconds: number) =>
    ask(`lab/api/settings/${settings}`, 'PUT', {
      raw: JSON.stringify({ autosaveInterval: seconds })
    });
  const file = 'autosave.ipynb';
  write(file, CELL);
  await every(3);
  try {
    await open(page, file);
    await run(page);
    await expect(output(page)).toContainText('line 3\n');
    const other = await context.newPage();
    await open(other, file);
    for (const each of [page, other]) {
      await expect(output(each)).toContainText('line 59\n');
    }
    // Who comes second is asked, as ever, and then the other one.
    let asked = 0;
    const state = async () => {
      for (const each of [page, other]) {
        const dialog = each.locator('.jp-Dialog');
        if (await dialog.count()) {
          asked += 1;
          await dialog.getByRole('button', { name: 'Overwrite' }).click();
        }
      }
      return saved(file).cells[0].metadata.remote_gpu?.state;
    };
    await expect.poll(state, PATIENCE).toBe('complete');
    expect(asked).toBeGreaterThan(0);
    const [cell] = saved(file).cells;
    expect([textOf(cell), cell.outputs.length]).toEqual([ALL, 1]);
  } finally {
    await every(120);
  }
});

test('a notebook that is renamed in mid-run', async ({ page }) => {
  write('before.ipynb', CELL);
  await open(page, 'before.ipynb');
  await run(page);
  await expect(output(page)).toContainText('line 3\n');
  await page.evaluate(() =>
    window.jupyterapp.shell.currentWidget!.context.rename('after.ipynb')
  );
  await page.evaluate(() =>
    window.jupyterapp.commands.execute('docmanager:save')
  );
  await open(page, 'after.ipynb');
  const { cells } = await savedWhen(page, 'after.ipynb', 'complete');
  expect(textOf(cells[0])).toBe(ALL);
  expect(cells[0].outputs).toHaveLength(1);
});

test('a copy of a notebook that was saved in mid-run', async ({ page }) => {
  write('source.ipynb', CELL);
  await open(page, 'source.ipynb');
  await run(page);
  await expect(output(page)).toContainText('line 3\n');
  await savedWhen(page, 'source.ipynb', 'partial');
  const copy = { copy_from: 'source.ipynb' };
  const { path } = (await ask('api/contents', 'POST', copy)) as {
    path: string;
  };
  await open(page, path);
  const { cells } = await savedWhen(page, path, 'complete');
  expect(textOf(cells[0])).toBe(ALL);
  // Its own kernel has run nothing: the cell is filled, and no more than that.
  await reload(page);
  await expect(output(page)).toHaveText(ALL);
  await expect(page.getByText('Output completed')).toHaveCount(0);
});
