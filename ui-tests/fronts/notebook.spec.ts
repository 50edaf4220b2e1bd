/** Notebook 7: each notebook is a page, without a status bar. */
import type { Page } from '@playwright/test';

import { expect, test } from '../refill/calm';
import { PATIENCE, open, write } from '../refill/demo';
import { complete, connectIn, followed, printing } from './front';

const FILE = 'notebook.ipynb';

// Notebook 7.6's own: it asks for the shortcuts of a plugin that is about to be loaded.
test.use({
  known:
    /^TypeError: .* \(reading 'schema'\)\n +at \S+\/static\/notebook\/notebook_core\./
});

/** The sidebar, by Notebook's own menu. */
async function shown(page: Page) {
  const panel = page.getByRole('region', { name: 'Remote GPU' });
  await expect(panel).toBeHidden();
  const labels = page.locator('.lm-MenuBar-itemLabel, .lm-Menu-itemLabel');
  for (const name of ['View', 'Left Sidebar', 'Show Remote GPU']) {
    // eslint-disable-next-line jupyter/galata-prefer-menu-helper -- Galata's page has it
    await labels.getByText(name, { exact: true }).click();
  }
  await expect(panel).toBeVisible(PATIENCE);
  return panel;
}

test('Notebook 7: connect, run, and load the page again in mid-cell', async ({
  page
}) => {
  write(FILE, printing());
  await open(page, FILE, 'notebooks');
  await complete(page, /^7\./);
  // The toolbar's button says how the pod is, and what it does.
  await expect(page.locator('.jp-RemoteGPU-status')).toHaveCount(0);
  const button = (state: string) =>
    page
      .locator('.jp-NotebookPanel-toolbar')
      .getByRole('button', { name: `${state}. Run this cell here: remove` });
  const dot = page.locator('.jp-NotebookPanel-toolbar .jp-RemoteGPU-iconDot');
  await expect(button('demo: not connected')).toBeVisible(PATIENCE);
  await expect(dot).toHaveCount(0);
  await connectIn(await shown(page));
  await expect(button('demo')).toBeVisible();
  await expect(dot).toHaveClass(/jp-mod-ok/);
  await followed(page, FILE);
  await expect(button('demo')).toBeVisible();
});
