import { expect, test } from '@jupyterlab/galata';
import type { Locator } from '@playwright/test';
import path from 'node:path';

import { openNotebook, play } from './played';
import { OFFERED, STATES } from './states';

const FOLDER = path.join(__dirname, '..', '..', 'docs', 'pictures');
const WIDTHS = [240, 400];
const NOTEBOOK = JSON.stringify({
  cells: [
    {
      cell_type: 'code',
      id: 'e',
      source: '%%gpu',
      metadata: {},
      execution_count: null,
      outputs: []
    }
  ],
  metadata: {
    kernelspec: { name: 'python3', display_name: 'Python 3' },
    // Cells that it had.
    remote_gpu: { gone: ['3', '4'] }
  },
  nbformat: 4,
  nbformat_minor: 5
});

test.use({
  autoGoto: false,
  viewport: { width: 1200, height: 520 }
});

/** The left area as wide as that. */
async function widen(panel: Locator, width: number): Promise<void> {
  const handle = panel
    .page()
    .locator('#jp-main-split-panel > .lm-SplitPanel-handle')
    .first();
  const box = (await panel.boundingBox())!;
  const at = (await handle.boundingBox())!;
  const mouse = panel.page().mouse;
  const y = at.y + at.height / 2;
  await mouse.move(at.x + at.width / 2, y);
  await mouse.down();
  await mouse.move(at.x + at.width / 2 + width - box.width, y, { steps: 3 });
  await mouse.up();
  await expect
    .poll(async () => Math.round((await panel.boundingBox())!.width))
    .toBe(width);
}

for (const theme of ['Light', 'Dark']) {
  test(`the panel's states, ${theme.toLowerCase()}`, async ({
    page,
    baseURL,
    tmpPath
  }) => {
    const notebook = `${tmpPath}/sampling.ipynb`;
    await page.contents.uploadContent(NOTEBOOK, 'text', notebook);
    let state = 'running';
    await play(page, () => state);
    await page.goto(`${baseURL}/lab`);
    if (theme === 'Dark') {
      await page.theme.setDarkTheme();
    } else {
      await page.theme.setLightTheme();
    }
    // JupyterLab stops at 250; a user's style may not.
    await page.addStyleTag({
      content: ':root { --jp-sidebar-min-width: 200px !important; }'
    });
    const panel = page.locator('#jupyter-remote-gpu');
    const kernels = panel.getByRole('button', { name: 'Kernels' });
    const rows: string[][] = WIDTHS.map(() => []);
    for (state of Object.keys(STATES)) {
      for (const [row, width] of WIDTHS.entries()) {
        await page.sidebar.close('left');
        await page.sidebar.openTab('jupyter-remote-gpu');
        await widen(panel, width);
        const shown = state === 'first time' ? /ssh/i : 'runpod-4090';
        await expect(panel.getByText(shown).first()).toBeVisible();
        if (state === OFFERED) {
          await openNotebook(page, notebook);
          await expect(panel.getByText('az.plot_trace')).toBeVisible();
        }
        if (state === 'running') {
          if (row === 0) {
            await kernels.click();
          }
          await expect(panel.getByText('eda.ipynb')).toBeVisible();
        }
        await page.mouse.move(1100, 300);
        const png = await panel.screenshot({ animations: 'disabled' });
        rows[row].push(`data:image/png;base64,${png.toString('base64')}`);
      }
      if (state === 'running') {
        await kernels.click();
      }
    }
    await page.setContent(sheet(rows, theme));
    await page.locator('main').screenshot({
      path: path.join(FOLDER, `panel-${theme.toLowerCase()}.png`)
    });
  });
}

/** All of them on one sheet, a row a width. */
function sheet(rows: string[][], theme: string): string {
  const names = Object.keys(STATES);
  const cells = (row: string[]) =>
    row
      .map(
        (src, i) =>
          `<figure><figcaption>${names[i]}</figcaption><img src="${src}"></figure>`
      )
      .join('');
  const [paper, ink] = theme === 'Dark' ? ['#222', '#ddd'] : ['#fff', '#333'];
  return `<style>
    body { margin: 0; }
    main { background: ${paper}; color: ${ink}; font: 15px sans-serif; padding: 12px; width: max-content; }
    div { display: flex; gap: 12px; margin-bottom: 12px; }
    figure { margin: 0; }
    figcaption { padding-bottom: 4px; }
    img { display: block; outline: 1px solid #8888; }
  </style><main>${rows.map(row => `<div>${cells(row)}</div>`).join('')}</main>`;
}
