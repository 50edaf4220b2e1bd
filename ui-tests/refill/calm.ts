/** A page whose errors fail the test, and its panel. */
import AxeBuilder from '@axe-core/playwright';
import type { Locator, Page } from '@playwright/test';
import { expect, test as base } from '@playwright/test';

import { errorsOf } from '../errors';
import { PATIENCE, ask, connect } from './demo';

export { expect };

export const test = base.extend<{ calm: void; known: RegExp | null }>({
  known: [null, { option: true }],
  calm: [
    async ({ page, known }, use) => {
      const errors = errorsOf(page, known);
      await use();
      expect(errors).toEqual([]);
    },
    { auto: true }
  ]
});

/** The pod's kernels that have not ended. */
export async function alive(): Promise<{ id: string }[]> {
  const { kernels } = (await ask('remote-gpu/kernels')) as {
    kernels: { id: string; alive: boolean | null }[];
  };
  return kernels.filter(each => each.alive !== false);
}

/** The demo pod is connected, and no kernel of another test's is left. */
export async function alone(): Promise<void> {
  await connect();
  for (const { id } of (await ask('api/kernels')) as { id: string }[]) {
    await ask(`api/kernels/${id}`, 'DELETE');
  }
  for (const { id } of await alive()) {
    await ask(`remote-gpu/pods/demo/kernels/${id}`, 'DELETE');
  }
  await expect.poll(alive, PATIENCE).toEqual([]);
}

/** The panel, shown. */
export async function panelOf(page: Page): Promise<Locator> {
  const panel = page.locator('#jupyter-remote-gpu');
  const tab = page.locator('.jp-SideBar [data-id="jupyter-remote-gpu"]');
  await expect(tab).toBeVisible(PATIENCE);
  if (!(await panel.isVisible())) {
    await tab.click();
  }
  await expect(panel).toBeVisible(PATIENCE);
  return panel;
}

/** Nothing serious is wrong with what is ours in the page, in either theme. */
export async function accessible(page: Page): Promise<void> {
  // JupyterLab's page has no height of its own: axe would take all in it for hidden.
  await page.addStyleTag({ content: 'html, body { min-height: 100vh; }' });
  for (const theme of ['JupyterLab Dark', 'JupyterLab Light']) {
    await page.evaluate(async theme => {
      const { commands } = window.jupyterapp as unknown as {
        commands: { execute(id: string, args: object): Promise<unknown> };
      };
      await commands.execute('apputils:change-theme', { theme });
    }, theme);
    await expect(page.locator('body')).toHaveAttribute(
      'data-jp-theme-name',
      theme,
      PATIENCE
    );
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
}

export function cell(page: Page, index: number): Locator {
  return page.locator('.jp-Notebook .jp-Cell').nth(index);
}

/** The index of the active cell. */
export function active(page: Page): Promise<number | undefined> {
  return page.evaluate(
    () => window.jupyterapp.shell.currentWidget?.content.activeCellIndex
  );
}

/** Seconds of what is shown as `12:31` at a text's end; -1 where nothing is. */
export function seconds(text: string | null): number {
  const found = /(\d+):(\d\d)$/.exec(text ?? '');
  return found ? Number(found[1]) * 60 + Number(found[2]) : -1;
}
