import type { IJupyterLabPageFixture } from '@jupyterlab/galata';

import { openNotebook } from '../pictures/played';
import {
  PATIENCE,
  ask,
  connected,
  expect,
  panelOf,
  pods,
  test
} from './support';

const NOTEBOOK = JSON.stringify({
  cells: [
    {
      cell_type: 'code',
      id: 'a',
      source: '1',
      metadata: {},
      execution_count: null,
      outputs: []
    }
  ],
  metadata: { kernelspec: { name: 'python3', display_name: 'Python 3' } },
  nbformat: 4,
  nbformat_minor: 5
});

/** Find it in the palette by its words, and run it. */
async function run(
  page: IJupyterLabPageFixture,
  id: string,
  label: string
): Promise<void> {
  await page.evaluate(async () => {
    await window.jupyterapp.commands.execute(
      'apputils:activate-command-palette'
    );
  });
  await page.locator('.lm-CommandPalette-input').fill(label);
  const found = page.locator(
    `.lm-CommandPalette [data-command="jupyter-remote-gpu:${id}"]`
  );
  await expect(found).toContainText(label);
  await found.click();
}

const stateOf = async (wanted: string) =>
  (await pods()).find(({ name }) => name === wanted)?.state;

test('each command of the palette does what it says', async ({
  page,
  tmpPath
}) => {
  await connected();
  const panel = await panelOf(page);
  const card = panel.getByRole('group', { name: 'Pod demo' });
  const dialog = page.locator('.jp-Dialog');

  await page.sidebar.close('left');
  await expect(panel).toBeHidden();
  await run(page, 'open-panel', 'Open the Remote GPU Panel');
  await expect(panel).toBeVisible();

  await run(page, 'disconnect-pod', 'Disconnect a Pod');
  await expect.poll(() => stateOf('demo'), PATIENCE).toBe('disconnected');
  await expect(card).toContainText('Not connected');
  await run(page, 'connect-pod', 'Connect a Pod');
  await expect.poll(() => stateOf('demo'), PATIENCE).toBe('connected');

  await run(page, 'show-log', 'Show the Log of a Pod');
  await expect(dialog).toContainText('Log of demo');
  await expect(dialog.locator('pre')).toContainText('connected');
  await dialog.getByRole('button', { name: 'Close' }).click();

  // Of several it is asked which.
  await ask('remote-gpu/pods', 'POST', { ssh: 'me@203.0.113.7', name: 'old' });
  await expect(panel.getByRole('group', { name: 'Pod old' })).toBeVisible();
  await run(page, 'remove-pod', 'Remove a Pod');
  await dialog.locator('select').selectOption('old');
  await dialog.locator('.jp-mod-accept').click();
  await expect(dialog).toContainText('Remove old?');
  await dialog.getByRole('button', { name: 'Remove' }).click();
  await expect.poll(() => stateOf('old')).toBeUndefined();
  expect(await stateOf('demo')).toBe('connected');

  // It runs already, and is one only.
  await run(page, 'start-demo', 'Try with a Pod on This Machine');
  await expect(
    page.locator('.Toastify__toast', { hasText: 'demo pod runs already' })
  ).toBeVisible(PATIENCE);

  const notebook = `${tmpPath}/a.ipynb`;
  await page.contents.uploadContent(NOTEBOOK, 'text', notebook);
  await openNotebook(page, notebook);
  // It takes the focus when its kernel is there, and the palette hides without it.
  await expect(page.locator('#jp-bottom-panel')).toContainText(
    '| Idle',
    PATIENCE
  );
  const source = () =>
    page.evaluate(() =>
      (
        window.jupyterapp.shell.currentWidget as unknown as {
          content: {
            activeCell: {
              model: { sharedModel: { getSource(): string } };
            };
          };
        }
      ).content.activeCell.model.sharedModel.getSource()
    );
  await run(page, 'toggle-cell', 'Run on GPU');
  await expect.poll(source).toBe('%%gpu\n1');
  await run(page, 'toggle-cell', 'Run on GPU');
  await expect.poll(source).toBe('1');
});
