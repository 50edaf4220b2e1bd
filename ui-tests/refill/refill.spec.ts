import type { Page } from '@playwright/test';

import { expect, test } from './calm';
import type { ISavedCell } from './demo';
import {
  PATIENCE,
  command,
  connect,
  open,
  output,
  reload,
  run,
  savedWhen,
  textOf,
  write
} from './demo';

const LINES = 40;
const CELL = `%%gpu
import time
for i in range(${LINES}):
    print('line', i, flush=True)
    time.sleep(0.25)`;
const ALL = [...Array(LINES).keys()].map(i => `line ${i}\n`).join('');

test.beforeAll(connect);

function whole(cell: ISavedCell, count = 1): void {
  expect(textOf(cell)).toBe(ALL);
  expect(cell.outputs).toHaveLength(1);
  expect(cell.execution_count).toBe(count);
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
  await expect(output(page)).not.toContainText('line 39');
  await reload(page);
  await expect(page.getByText('Output completed from the pod')).toHaveCount(0);
});

test('what was edited, run again or cleared since stays so', async ({
  page
}) => {
  const file = 'since.ipynb';
  const again =
    "n = globals().get('n', 0) + 1\nprint('run', n, 'x' * (3 - n) * 40)";
  write(file, `%%gpu\n${again}`, '%%gpu\nprint("b")', CELL, CELL);
  await open(page, file);
  // The second run says less than the first.
  for (const text of ['run 1 xxx', 'run 2']) {
    await run(page, 0);
    await expect(output(page, 0)).toContainText(text, PATIENCE);
    await savedWhen(page, file, 'complete', 0);
  }
  await run(page, 1);
  await savedWhen(page, file, 'complete', 1);
  await command(page, 'notebook:clear-cell-output', 1);
  await run(page, 2);
  await run(page, 3);
  await expect(output(page, 2)).toContainText('line 3\n', PATIENCE);
  await page.evaluate(() => {
    const { model } = window.jupyterapp.shell.currentWidget!.content;
    model.cells.get(2).sharedModel.setSource('%%gpu\nprint("c")');
  });
  const before = await savedWhen(page, file, 'partial', 2);
  const asked = page.waitForResponse(/remote-gpu\/executions\?/);
  await reload(page);
  await asked;
  // That it was at work is seen by the last cell, which had said nothing.
  const { cells } = await savedWhen(page, file, 'complete', 3);
  whole(cells[3], 5);
  await expect(page.getByText('Output completed from the pod')).toHaveCount(1);
  const after = await savedWhen(page, file, 'complete', 3);
  expect(after.cells.slice(0, 3)).toEqual(before.cells.slice(0, 3));
  const shown = after.cells.slice(0, 3).map(textOf);
  expect(shown[0]).toMatch(/^run 2 x{40}\n$/);
  expect(shown[1]).toBe('');
  expect(ALL.startsWith(shown[2]) && shown[2] !== ALL).toBe(true);
});

test('trust is neither set nor taken', async ({ page, context }) => {
  const file = 'trust.ipynb';
  const HTML = `%%gpu
from time import sleep
from IPython.display import HTML
for i in range(12):
    print('line', i, flush=True)
    sleep(0.25)
HTML('<img src="x" onerror="window.owned = 1"><i>shown</i>')`;
  const isTrusted = (at: Page) =>
    at.evaluate(
      () =>
        window.jupyterapp.shell.currentWidget!.content.model.cells.get(0)
          .trusted
    );
  const isOwned = (at: Page) => at.evaluate(() => 'owned' in window);
  write(file, HTML);
  const first = await context.newPage();
  await open(first, file);
  await run(first);
  await expect(output(first)).toContainText('line 3\n', PATIENCE);
  await first.close();
  // Nobody has run it here, or saved what was run.
  await open(page, file);
  expect(await isTrusted(page)).toBe(false);
  await savedWhen(page, file, 'complete');
  await expect(output(page)).toContainText('shown');
  expect([await isTrusted(page), await isOwned(page)]).toEqual([false, false]);
  await reload(page);
  await expect(output(page)).toContainText('shown');
  expect([await isTrusted(page), await isOwned(page)]).toEqual([false, false]);

  // Run from here, and saved: it is trusted, and stays so when it is filled.
  await run(page);
  await expect(output(page)).not.toContainText('shown');
  await expect(output(page)).toContainText('line 3\n', PATIENCE);
  await savedWhen(page, file, 'partial');
  await reload(page);
  await savedWhen(page, file, 'complete');
  await expect(output(page)).toContainText('shown');
  await expect.poll(() => isOwned(page)).toBe(true);
  expect(await isTrusted(page)).toBe(true);
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
  await expect(output(page, 1)).toContainText('line 39\n');
});

test('a bar goes on in a page that is loaded again', async ({ page }) => {
  write(
    'bar.ipynb',
    '%%gpu\nimport time\nfrom tqdm.notebook import tqdm\n' +
      'for i in tqdm(range(40)):\n    time.sleep(0.25)'
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
  const all = Object.values(metadata.widgets!).flatMap(({ state }) =>
    Object.values(state)
  );
  const bars = all.filter(each => each.model_name === 'FloatProgressModel');
  expect(bars.map(({ state }) => [state.value, state.max])).toEqual([[40, 40]]);
});
