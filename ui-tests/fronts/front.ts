/** What a user does first, in any front end. */
import type { Locator, Page } from '@playwright/test';

import { expect } from '../refill/calm';
import type { ISavedCell } from '../refill/demo';
import {
  PATIENCE,
  output,
  reload,
  run,
  savedWhen,
  textOf
} from '../refill/demo';

const LINES = 40;

/** A cell on the pod that prints lines, four a second. */
export function printing(lines = LINES): string {
  return `%%gpu
import time
for i in range(${lines}):
    print('line', i, flush=True)
    time.sleep(0.25)`;
}

/** What it prints. */
export function printed(lines = LINES): string {
  return [...Array(lines).keys()].map(i => `line ${i}\n`).join('');
}

/** The cell has each line once, in order, and nothing else. */
export function whole(cell: ISavedCell, lines = LINES, count = 1): void {
  expect(textOf(cell)).toBe(printed(lines));
  expect(cell.outputs).toHaveLength(1);
  expect(cell.execution_count).toBe(count);
}

/** It is the front end that is meant, and all of ours has found what it needs there. */
export async function complete(page: Page, version: RegExp): Promise<void> {
  const [told, ours] = await page.evaluate(() => {
    const app = window.jupyterapp;
    const ids = app.listPlugins().filter(id => /^jupyter-remote-gpu:/.test(id));
    return [app.version, ids.map(id => [id, app.isPluginActivated(id)])];
  });
  expect(told).toMatch(version);
  expect(ours.length).toBeGreaterThan(0);
  expect(ours.filter(([, isActive]) => !isActive)).toEqual([]);
}

/** Connect the demo pod as the user does. */
export async function connectIn(panel: Locator): Promise<void> {
  await panel.getByRole('button', { name: 'Connect', exact: true }).click();
  await expect(panel.getByRole('button', { name: 'Disconnect' })).toBeVisible(
    PATIENCE
  );
}

/** Run the page's first cell, and load the page again in mid-cell. */
export async function followed(page: Page, file: string): Promise<void> {
  await run(page);
  await expect(output(page)).toContainText('line 3\n', PATIENCE);
  await reload(page);
  await filled(page, file);
}

/**
 * The page's first cell runs, and no request of this page's delivers: it is filled to its end.
 *
 * @param keep - Has the file saved when it is.
 */
export async function filled(
  page: Page,
  file: string,
  keep = savedWhen
): Promise<void> {
  const prompt = page.locator('.jp-InputPrompt').first();
  await expect(output(page)).toContainText('line 12\n', PATIENCE);
  await expect(prompt).toHaveText('[*]:');
  const { cells } = await keep(page, file, 'complete');
  whole(cells[0]);
  await expect(prompt).toHaveText('[1]:');
  await expect(output(page)).toHaveText(printed());
  await expect(page.getByText('Output completed from the pod')).toBeVisible();
  // Nobody fills it a second time.
  await reload(page);
  await expect(output(page)).toHaveText(printed());
}
