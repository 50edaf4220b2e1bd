import {
  active,
  alive,
  alone,
  cell,
  expect,
  panelOf,
  seconds,
  test
} from './calm';
import {
  PATIENCE,
  command,
  open,
  output,
  reload,
  run,
  saved,
  savedWhen,
  textOf,
  write
} from './demo';

const LONG = '%%gpu\n# A note.\nfrom time import sleep; sleep(900)';
/** What would run, were it taken for HTML. */
const HTML = '<img src=x onerror=window.owned=1>';

test.describe.configure({ timeout: 240_000 });

test.beforeEach(alone);

test('"Run on GPU" adds and removes %%gpu', async ({ page }) => {
  write('button.ipynb', 'x = 1', '', '%%gpu --detach\ny = 2');
  await open(page, 'button.ipynb');
  const adds = 'Run on GPU: add %%gpu to this cell';
  const removes = 'Run this cell here: remove %%gpu';
  for (const toolbar of ['.jp-NotebookPanel-toolbar', '.jp-cell-toolbar']) {
    const button = (name: string) =>
      page.locator(toolbar).getByRole('button', { name });
    const text = cell(page, 0).locator('.cm-content');
    await text.click();
    await button(adds).click();
    await expect(text).toHaveText('%%gpux = 1');
    await button(removes).click();
    await expect(text).toHaveText('x = 1');
    await expect(button(adds)).toBeVisible();
  }
  // Another cell: what the buttons do is told anew.
  await cell(page, 2).locator('.cm-content').click();
  const toolbar = page.locator('.jp-NotebookPanel-toolbar');
  const here = toolbar.getByRole('button', { name: removes });
  await here.click();
  await expect(cell(page, 2).locator('.cm-content')).toHaveText('y = 2');
  await expect(here).toHaveCount(0);
});

test('no %load_ext, also after a restart', async ({ page }) => {
  const known =
    "print('loaded', 'jupyter_remote_gpu' in get_ipython().extension_manager.loaded)";
  write('fresh.ipynb', known, '%%gpu\nprint(6 * 7)');
  await open(page, 'fresh.ipynb');
  for (const again of [false, true]) {
    if (again) {
      await command(page, 'notebook:clear-all-cell-outputs', 0);
      await expect(output(page, 1)).not.toContainText('42');
      await command(page, 'notebook:restart-run-all', 0);
      await page.locator('.jp-Dialog .jp-mod-accept').click();
    } else {
      await command(page, 'notebook:run-all-cells', 0);
    }
    // Nobody has loaded them before the cell that needs them.
    await expect(output(page, 0)).toHaveText('loaded False', PATIENCE);
    await expect(output(page, 1)).toContainText('42\n', PATIENCE);
    const { cells } = await savedWhen(page, 'fresh.ipynb', 'complete', 1);
    // After a restart it says first that the pod's kernel is the one of before.
    const first = again ? '\\[gpu\\] joined the kernel of .*\n' : '';
    expect(textOf(cells[1])).toMatch(new RegExp(`^${first}42\n$`));
    const kinds = new Set(cells[1].outputs.map(each => each.output_type));
    expect([...kinds]).toEqual(['stream']);
  }
  expect(JSON.stringify(saved('fresh.ipynb'))).not.toContain('load_ext');
});

test('what runs: its mark, its row, the status bar', async ({ page }) => {
  write('row.ipynb', 'x = 1', LONG);
  await open(page, 'row.ipynb');
  await run(page, 1);
  const mark = cell(page, 1).locator('.jp-RemoteGPU-mark');
  const shown = async () => seconds(await mark.textContent());
  await expect(mark).toHaveAttribute('title', 'Runs on demo', PATIENCE);
  await expect.poll(shown, PATIENCE).toBeGreaterThan(4);
  const [before, at] = [await shown(), Date.now()];
  await expect.poll(shown, PATIENCE).toBeGreaterThan(before);
  await reload(page);
  await expect(mark).toBeVisible(PATIENCE);
  // It counts from when the cell began, not from when the page was loaded.
  const passed = (Date.now() - at) / 1000;
  expect(Math.abs((await shown()) - before - passed)).toBeLessThan(4);
  await expect(page.locator('.jp-RemoteGPU-mark')).toHaveCount(1);

  const panel = page.locator('#jupyter-remote-gpu');
  await expect(panel).toBeHidden();
  const status = page.locator('.jp-RemoteGPU-status');
  await expect(status).toHaveText(/^demorow\.ipynb \d+:\d\d$/);
  await status.click();
  await expect(panel).toBeVisible();
  const row = panel.getByTitle('Go to the cell');
  await expect(row).toHaveText(
    /^\[\d+\] from time import sleep; sleep\(900\)\d+:\d\d$/
  );
  const started = seconds(await row.textContent());
  await expect
    .poll(async () => seconds(await row.textContent()), PATIENCE)
    .toBeGreaterThan(started);
  const item = panel.getByRole('listitem').filter({ hasText: 'sleep(900)' });
  await expect(item).toContainText('row.ipynb');

  // A click goes to the cell, also where the notebook was closed.
  await cell(page, 0).locator('.cm-content').click();
  expect(await active(page)).toBe(0);
  await row.click();
  await expect.poll(() => active(page)).toBe(1);
  await command(page, 'docmanager:save', 0);
  await expect(page.locator('.jp-mod-dirty')).toHaveCount(0, PATIENCE);
  await command(page, 'application:close', 0);
  await expect(page.locator('.jp-Notebook')).toHaveCount(0);
  await row.click();
  await expect(mark).toBeVisible(PATIENCE);
  await expect.poll(() => active(page)).toBe(1);
  await expect(page.locator('.jp-Dialog')).toHaveCount(0);

  await item.getByRole('button', { name: 'Interrupt' }).click();
  await expect(panel.getByText('Nothing runs.')).toBeVisible(PATIENCE);
  await expect(mark).toHaveCount(0);
  await expect(output(page, 1)).toContainText('KeyboardInterrupt', PATIENCE);
  await expect(status).toHaveText('demo');
});

test('the kernels, and an end of one', async ({ page }) => {
  write('ends.ipynb', '%%gpu\nprint(1)');
  await open(page, 'ends.ipynb');
  await run(page);
  await expect(output(page)).toContainText('1\n', PATIENCE);
  const panel = await panelOf(page);
  const fold = panel.getByRole('button', { name: 'Kernels' });
  await expect(fold).toHaveAttribute('aria-expanded', 'false');
  await fold.click();
  const row = panel
    .locator('#jp-RemoteGPU-fold-kernels')
    .getByRole('listitem')
    .filter({ hasText: 'ends.ipynb' });
  await expect(row).toContainText(/\d+ s · [\d.]+ [kMG]B/, PATIENCE);
  const stop = row.getByRole('button', { name: 'Stop the kernel of' });
  const dialog = page.locator('.jp-Dialog');
  await stop.click();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await expect(stop).toBeVisible();
  expect(await alive()).toHaveLength(1);
  await stop.click();
  await expect(dialog).toContainText('Stop the kernel of ends.ipynb?');
  await dialog.getByRole('button', { name: 'Stop' }).click();
  await expect(stop).toHaveCount(0, PATIENCE);
  expect(await alive()).toEqual([]);
});

test('names with HTML are text', async ({ page }) => {
  const name = `${HTML}.ipynb`;
  write(name, `%%gpu\nprint('${HTML}'); import time; time.sleep(900)`, '');
  // The pod's name, too: the server would not take such a one.
  await page.route(/\/remote-gpu\/(snapshot|kernels)/, async route => {
    const response = await route.fetch();
    const body = (await response.text()).replaceAll('"demo"', `"${HTML}"`);
    await route.fulfill({ response, body });
  });
  await open(page, encodeURIComponent(name));
  await run(page);
  await expect(output(page)).toContainText(HTML, PATIENCE);
  const panel = await panelOf(page);
  await expect(panel.locator('.jp-RemoteGPU-name')).toHaveText(HTML);
  const row = panel.getByTitle('Go to the cell');
  await expect(row).toContainText(`print('${HTML}')`);
  await expect(panel.getByText(name, { exact: true })).toBeVisible();
  await expect(page.locator('.jp-RemoteGPU-status')).toContainText(
    `${HTML}${name}`
  );
  const mark = cell(page, 0).locator('.jp-RemoteGPU-mark');
  await expect(mark).toHaveAttribute('title', `Runs on ${HTML}`);
  await panel.getByRole('button', { name: 'Kernels' }).click();
  const stop = `Stop the kernel of ${name}…`;
  await panel.getByRole('button', { name: stop }).click(PATIENCE);
  const dialog = page.locator('.jp-Dialog');
  await expect(dialog).toContainText(`Stop the kernel of ${name}?`);
  await expect(dialog.locator('img')).toHaveCount(0);
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  const ours = page.locator(
    '#jupyter-remote-gpu, .jp-RemoteGPU-status, .jp-RemoteGPU-mark, .jp-Notification-Toast'
  );
  await expect(ours.locator('img')).toHaveCount(0);
  expect(await page.evaluate(() => 'owned' in window)).toBe(false);
  await row.click();
  await panel.getByRole('button', { name: 'Interrupt' }).click();
  await expect(panel.getByText('Nothing runs.')).toBeVisible(PATIENCE);
});
