import { expect, test } from '@jupyterlab/galata';

// Galata's stand-ins answer a restart in a way that JupyterLab does not take.
test.use({ kernels: null, sessions: null });

test('the sidebar has a panel, and it opens', async ({ page }) => {
  const errors: string[] = [];
  page.on('pageerror', error => errors.push(String(error)));
  await page.sidebar.openTab('jupyter-remote-gpu');
  const panel = page.locator('#jupyter-remote-gpu');
  await expect(panel).toBeVisible();
  expect(errors).toEqual([]);
});
