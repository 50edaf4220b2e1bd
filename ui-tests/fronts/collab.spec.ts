/** jupyter-collaboration: pages share a document, and the server saves it. */
import type { Page } from '@playwright/test';

import { expect, panelOf, test } from '../refill/calm';
import type { INotebook } from '../refill/demo';
import {
  PATIENCE,
  connect,
  open,
  output,
  run,
  saved,
  write
} from '../refill/demo';
import { complete, connectIn, filled, printed, printing, whole } from './front';

/** The note of the refill. */
const NOTE = 'Output completed from the pod';

/** Open a notebook that is shared. */
async function share(page: Page, file: string): Promise<void> {
  await open(page, file);
  const isShared = () =>
    page.evaluate(
      () => window.jupyterapp.shell.currentWidget!.content.model.collaborative
    );
  expect(await isShared()).toBe(true);
}

/** The file, once the server has saved that the cell is so: it does by itself. */
async function keep(
  _: Page,
  file: string,
  state: string,
  index = 0
): Promise<INotebook> {
  let last: INotebook | undefined;
  const told = () => {
    try {
      last = saved(file);
    } catch (error) {
      if (error instanceof SyntaxError) {
        return 'being written';
      }
      throw error;
    }
    return last.cells[index].metadata.remote_gpu?.state;
  };
  await expect.poll(told, PATIENCE).toBe(state);
  return last!;
}

test('jupyter-collaboration: connect, run, close the tab in mid-cell', async ({
  page,
  context
}) => {
  const file = 'closed.ipynb';
  write(file, printing());
  const first = await context.newPage();
  await share(first, file);
  await complete(first, /^4\./);
  await connectIn(await panelOf(first));
  await run(first);
  await expect(output(first)).toContainText('line 3\n', PATIENCE);
  await first.close();
  await share(page, file);
  await filled(page, file, keep);
});

/** The cells that a shared page knows others to deliver to. */
function served(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const { model } = window.jupyterapp.shell.currentWidget!.content;
    const { awareness } = model.sharedModel;
    return [...awareness!.getStates()].flatMap(([id, { remote_gpu }]) =>
      id === awareness!.clientID ? [] : (remote_gpu?.cells ?? [])
    );
  });
}

test('two tabs: one delivers, and the other one takes over', async ({
  page,
  context
}) => {
  const long = 80;
  await connect();
  write('two.ipynb', printing(long), printing());
  const other = await context.newPage();
  await share(other, 'two.ipynb');
  await run(other, 0);
  await expect(output(other)).toContainText('line 3\n', PATIENCE);
  await share(page, 'two.ipynb');
  // Sooner than the 15 s after which awareness is told again by itself.
  await expect.poll(() => served(page), { timeout: 5_000 }).toEqual(['a0']);
  for (const each of [page, other]) {
    await expect(output(each, 0)).toHaveText(printed(long), PATIENCE);
    await expect(each.getByText(NOTE)).toHaveCount(0);
  }
  await run(other, 1);
  await expect(output(page, 1)).toContainText('line 3\n', PATIENCE);
  await other.close();
  const { cells } = await keep(page, 'two.ipynb', 'complete', 1);
  whole(cells[0], long);
  whole(cells[1], undefined, 2);
  expect(cells[0].metadata.remote_gpu?.state).toBe('complete');
  await expect(page.getByText(NOTE)).toHaveCount(1);
});
