/** The server of this run, its demo pod, and what a page shows of them. */
import { expect, test as base } from '@jupyterlab/galata';
import type { IJupyterLabPageFixture } from '@jupyterlab/galata';
import AxeBuilder from '@axe-core/playwright';
import type { Locator } from '@playwright/test';

import { errorsOf } from '../errors';

const URL = `http://127.0.0.1:${process.env.JRG_UI_PORT}`;
/** How long a test waits for a pod at most. */
export const PATIENCE = { timeout: 30_000 };

export { expect };

/** With a page whose errors fail the test, and with Galata's stand-ins off. */
export const test = base.extend<{ calm: void }>({
  calm: [
    async ({ page }, use) => {
      const errors = errorsOf(page);
      await use();
      expect(errors).toEqual([]);
    },
    { auto: true }
  ]
});

// Galata's stand-ins answer a restart in a way that JupyterLab does not take.
test.use({ kernels: null, sessions: null });

/** Ask the server; what it answers. */
export async function ask(
  path: string,
  method = 'GET',
  body?: object
): Promise<unknown> {
  const answer = await fetch(`${URL}/${path}`, {
    method,
    body: body && JSON.stringify(body)
  });
  if (!answer.ok) {
    throw new Error(`${method} ${path}: ${answer.status}`);
  }
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

interface IPod {
  readonly name: string;
  readonly address: string;
  readonly state: string;
}

export async function pods(): Promise<readonly IPod[]> {
  return ((await ask('remote-gpu/pods')) as { pods: IPod[] }).pods;
}

/** Only the demo pod, and it is connected. */
export async function connected(): Promise<void> {
  let found = await pods();
  for (const { name } of found.filter(pod => pod.name !== 'demo')) {
    await ask(`remote-gpu/pods/${name}`, 'DELETE');
  }
  if (!found.some(({ name }) => name === 'demo')) {
    await ask('remote-gpu/demo', 'POST');
  }
  const state = async () => {
    found = await pods();
    return found.find(({ name }) => name === 'demo')?.state;
  };
  await expect.poll(state, PATIENCE).toBeDefined();
  await ask('remote-gpu/pods/demo/connection', 'PUT', {});
  await expect.poll(state, PATIENCE).toBe('connected');
}

/** The panel, shown. */
export async function panelOf(page: IJupyterLabPageFixture): Promise<Locator> {
  // Galata takes a tab that is not there yet for one that does not exist.
  await expect(
    page.locator('.jp-SideBar [data-id="jupyter-remote-gpu"]')
  ).toBeVisible(PATIENCE);
  await page.sidebar.openTab('jupyter-remote-gpu');
  const panel = page.locator('#jupyter-remote-gpu');
  await expect(panel).toBeVisible();
  return panel;
}

/** Nothing serious is wrong with what is ours in the page, in either theme. */
export async function accessible(page: IJupyterLabPageFixture): Promise<void> {
  // JupyterLab's page has no height of its own: axe would take all in it for hidden.
  await page.addStyleTag({ content: 'html, body { min-height: 100vh; }' });
  for (const dark of [false, true]) {
    await (dark ? page.theme.setDarkTheme() : page.theme.setLightTheme());
    const { passes, violations } = await new AxeBuilder({ page })
      .include('[class*="jp-RemoteGPU"]')
      .analyze();
    const contrast = passes.find(({ id }) => id === 'color-contrast');
    expect(contrast?.nodes.length).toBeGreaterThan(0);
    const bad = violations.filter(({ impact }) =>
      ['serious', 'critical'].includes(impact ?? '')
    );
    expect(bad.map(({ id, nodes }) => [id, nodes.map(n => n.html)])).toEqual(
      []
    );
  }
  await page.theme.setLightTheme();
}
