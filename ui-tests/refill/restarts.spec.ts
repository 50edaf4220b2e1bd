/** Kernels that are restarted or die: what goes on, and what is said of it. */
import { expect, test } from './calm';
import {
  PATIENCE,
  begin,
  connect,
  open,
  output,
  reload,
  restart,
  run,
  savedWhen,
  textOf
} from './demo';

test.beforeAll(connect);

test('a bar goes on after a restart of the local kernel, and another cell', async ({
  page
}) => {
  const file = 'anew.ipynb';
  const bar = `%%gpu
import time
from tqdm.notebook import tqdm
for i in tqdm(range(120)):
    time.sleep(0.25)`;
  await begin(page, file, bar, '%%gpu\nprint(6 * 7)');
  const percent = async () =>
    Number(/(\d+)%/.exec(await output(page).innerText())?.[1] ?? -1);
  await expect.poll(percent, PATIENCE).toBeGreaterThan(1);
  const asked = page.waitForResponse(/\/outputs(\?|$)/);
  await restart(page);
  await asked; // from now on the refill moves it
  // It opens the widgets of the kernel that it joins.
  await run(page, 1);
  await expect(output(page, 1)).toContainText('joined the kernel', PATIENCE);
  for (let i = 0; i < 3; i++) {
    const before = await percent();
    await expect.poll(percent, PATIENCE).toBeGreaterThan(before);
  }
  await expect.poll(percent, PATIENCE).toBe(100);
  await expect(output(page, 1)).toContainText('42\n', PATIENCE);
  await savedWhen(page, file, 'complete');
});

test('a kernel that dies while nobody looks', async ({ page, context }) => {
  const file = 'dies.ipynb';
  const dies = `%%gpu
import os, time
for i in range(12):
    print('line', i, flush=True)
    time.sleep(0.25)
os.kill(os.getpid(), 9)`;
  const first = await context.newPage();
  await begin(first, file, dies, '%%gpu\nprint("never")');
  await run(first, 1);
  await expect(output(first)).toContainText('line 3\n', PATIENCE);
  await savedWhen(first, file, 'partial');
  await first.close();
  await open(page, file);
  const { cells } = await savedWhen(page, file, 'complete');
  const [text, error] = cells[0].outputs;
  expect(cells[0].outputs).toHaveLength(2);
  expect(text.output_type).toBe('stream');
  expect(textOf(cells[0])).toBe(
    [...Array(12).keys()].map(i => `line ${i}\n`).join('')
  );
  expect(error.ename).toBe('KernelDied');
  expect(error.evalue).toContain('The kernel on demo was killed by SIGKILL');
  expect(cells[0].execution_count).toBe(1);
  await expect(page.getByText('The kernel ended')).toBeVisible();
  await expect(output(page)).toContainText('KernelDied');
  await expect(page.locator('.jp-InputPrompt').first()).toHaveText('[1]:');
  await reload(page);
  await expect(output(page)).toContainText('KernelDied');
});
