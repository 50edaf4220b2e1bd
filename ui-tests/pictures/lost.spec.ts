import { expect, test } from '@jupyterlab/galata';
import path from 'node:path';

import { openNotebook, play } from './played';
import { sampling } from './sampling';

const FILE = path.join(
  __dirname,
  '..',
  '..',
  'docs',
  'pictures',
  'link-lost.png'
);
// As `magic/notices.py` says it.
const TOLD =
  '[gpu] The link to runpod-4090 is down (203.0.113.7:40022 does not answer. Is the pod on, and is this its address?): ' +
  'reconnecting. What runs there runs on; this cell waits.';

test.use({ autoGoto: false, viewport: { width: 1250, height: 462 } });

test('the page while the network is away', async ({
  page,
  baseURL,
  tmpPath
}) => {
  const notebook = `${tmpPath}/sampling.ipynb`;
  await page.contents.uploadContent(sampling(TOLD), 'text', notebook);
  // A path that lies nowhere else is taken for one of the contents.
  await play(page, () => 'link lost', { notebook, ran: [] });
  await page.goto(`${baseURL}/lab`);
  await page.theme.setLightTheme();
  await page.activity.closeAll();
  await page.sidebar.openTab('jupyter-remote-gpu');
  await openNotebook(page, notebook);
  // What would hold the bars, and would have the cell wait, is the kernel: nobody plays it.
  await page.addStyleTag({
    content: '.jupyter-widgets-disconnected::before { display: none }'
  });
  const cell = page.locator('.jp-Notebook .jp-Cell').nth(1);
  await cell
    .locator('.jp-InputPrompt')
    .evaluate(prompt => (prompt.textContent = '[*]:'));
  await expect(cell.locator('.jp-RemoteGPU-mark')).toBeVisible();
  await expect(cell.locator('.progress-bar')).toHaveCount(2);
  await page.mouse.move(700, 420);
  await page.screenshot({
    path: FILE,
    animations: 'disabled',
    // Without the menus.
    clip: { x: 0, y: 28, width: 1250, height: 434 }
  });
});
