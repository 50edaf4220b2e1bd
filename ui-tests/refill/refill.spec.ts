import { expect, test } from './calm';
import type { ISavedCell } from './demo';
import {
  PATIENCE,
  command,
  connect,
  cut,
  killServer,
  open,
  output,
  reload,
  run,
  saved,
  savedWhen,
  textOf,
  write
} from './demo';

const LINES = 80;
const CELL = `%%gpu
import time
for i in range(${LINES}):
    print('line', i, flush=True)
    time.sleep(0.25)`;
const ALL = [...Array(LINES).keys()].map(i => `line ${i}\n`).join('');

test.beforeAll(connect);

function whole(cell: ISavedCell): void {
  expect(textOf(cell)).toBe(ALL);
  expect(cell.outputs).toHaveLength(1);
  expect(cell.execution_count).toBe(1);
}

test('what the page itself shows is left as it is', async ({ page }) => {
  write('live.ipynb', '%%gpu\nprint(6 * 7)');
  await open(page, 'live.ipynb');
  await run(page);
  const { cells } = await savedWhen(page, 'live.ipynb', 'complete');
  expect(textOf(cells[0])).toContain('42\n');
  await expect(page.getByText('Output completed')).toHaveCount(0);
});

test('a page that is loaded again follows its cell', async ({ page }) => {
  write('reload.ipynb', CELL);
  await open(page, 'reload.ipynb');
  await run(page);
  await expect(output(page)).toContainText('line 3\n');
  await reload(page);
  await expect(output(page)).toContainText('line 12\n', PATIENCE);
  await expect(page.locator('.jp-InputPrompt').first()).toHaveText('[*]:');
  const { cells } = await savedWhen(page, 'reload.ipynb', 'complete');
  whole(cells[0]);
  await expect(page.locator('.jp-InputPrompt').first()).toHaveText('[1]:');
  await expect(page.getByText('Output completed from the pod')).toBeVisible();
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(output(page)).not.toContainText('line 79');
  await reload(page);
  await expect(page.getByText('Output completed from the pod')).toHaveCount(0);
});

test('a tab that was closed', async ({ page, context }) => {
  write('tab.ipynb', CELL);
  const first = await context.newPage();
  await open(first, 'tab.ipynb');
  await run(first);
  await expect(output(first)).toContainText('line 3\n');
  await first.close();
  await open(page, 'tab.ipynb');
  const { cells } = await savedWhen(page, 'tab.ipynb', 'complete');
  whole(cells[0]);
});

test('a local kernel that is restarted', async ({ page }) => {
  write('kernel.ipynb', CELL);
  await open(page, 'kernel.ipynb');
  await run(page);
  await expect(output(page)).toContainText('line 3\n');
  await page.evaluate(() => {
    void window.jupyterapp.shell.currentWidget!.sessionContext.session!.kernel!.restart();
  });
  const { cells } = await savedWhen(page, 'kernel.ipynb', 'complete');
  whole(cells[0]);
});

test('a server that is killed', async ({ page }) => {
  write('server.ipynb', CELL);
  await open(page, 'server.ipynb');
  await run(page);
  await expect(output(page)).toContainText('line 3\n');
  await killServer();
  const { cells } = await savedWhen(page, 'server.ipynb', 'complete');
  whole(cells[0]);
});

test('a link that is cut, and the page loaded again meanwhile', async ({
  page
}) => {
  write('cut.ipynb', CELL);
  await open(page, 'cut.ipynb');
  await run(page);
  await expect(output(page)).toContainText('line 3\n');
  await cut(6);
  await reload(page);
  const { cells } = await savedWhen(page, 'cut.ipynb', 'complete');
  whole(cells[0]);
});

test('what was edited or cleared since stays so', async ({ page }) => {
  write('edited.ipynb', '%%gpu\nprint("a")', '%%gpu\nprint("b")');
  await open(page, 'edited.ipynb');
  for (const index of [0, 1]) {
    await run(page, index);
    await savedWhen(page, 'edited.ipynb', 'complete', index);
  }
  await page.evaluate(() => {
    const { model } = window.jupyterapp.shell.currentWidget!.content;
    model.cells.get(0).sharedModel.setSource('%%gpu\nprint("c")');
  });
  await command(page, 'notebook:clear-cell-output', 1);
  const before = await savedWhen(page, 'edited.ipynb', 'replaced', 1);
  const asked = page.waitForResponse(/remote-gpu\/executions\?/);
  await reload(page);
  await asked; // then it decides
  await savedWhen(page, 'edited.ipynb', 'replaced', 1);
  expect(saved('edited.ipynb').cells).toEqual(before.cells);
  expect(before.cells[1].outputs).toEqual([]);
});

test('the output of a cell that was edited meanwhile is offered', async ({
  page,
  context
}) => {
  write('offer.ipynb', CELL);
  const first = await context.newPage();
  await open(first, 'offer.ipynb');
  await run(first);
  await expect(output(first)).toContainText('line 3\n');
  await first.close();
  write('offer.ipynb', '%%gpu\nprint("something else")');
  await open(page, 'offer.ipynb');
  await page.evaluate(() =>
    window.jupyterapp.commands.execute('jupyter-remote-gpu:open-panel')
  );
  const panel = page.getByRole('region', { name: 'Remote GPU' });
  await expect(panel.getByText('Its cell was edited since')).toBeVisible(
    PATIENCE
  );
  await panel.getByRole('button', { name: 'as a new cell' }).click();
  const { cells } = await savedWhen(page, 'offer.ipynb', 'complete', 1);
  expect(cells[0].outputs).toEqual([]);
  whole(cells[1]);
  await expect(panel.getByText('Output without a cell')).toHaveCount(0);
  await reload(page);
  await expect(output(page, 1)).toContainText('line 79\n');
});

test('a bar goes on in a page that is loaded again', async ({ page }) => {
  write(
    'bar.ipynb',
    '%%gpu\nimport time\nfrom tqdm.notebook import tqdm\n' +
      'for i in tqdm(range(80)):\n    time.sleep(0.25)'
  );
  await open(page, 'bar.ipynb');
  await run(page);
  await expect(output(page)).toContainText(/\d%/, PATIENCE);
  await page.evaluate(() =>
    window.jupyterapp.commands.execute('docmanager:save')
  );
  await reload(page);
  const percent = async () =>
    Number(/(\d+)%/.exec(await output(page).innerText())?.[1] ?? -1);
  await expect.poll(percent, PATIENCE).toBeGreaterThan(0);
  const early = await percent();
  await expect.poll(percent, PATIENCE).toBeGreaterThan(early);
  const { metadata } = await savedWhen(page, 'bar.ipynb', 'complete');
  await expect.poll(percent).toBe(100);
  expect(Object.keys(metadata.widgets ?? {})).toHaveLength(1);
});
