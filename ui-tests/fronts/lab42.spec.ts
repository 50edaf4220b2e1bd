/** The oldest JupyterLab that is supported. */
import { expect, panelOf, test } from '../refill/calm';
import { open, write } from '../refill/demo';
import { complete, connectIn, followed, printing } from './front';

test('JupyterLab 4.2: connect, run, and load the page again in mid-cell', async ({
  page
}) => {
  write('lab.ipynb', printing());
  await open(page, 'lab.ipynb');
  await complete(page, /^4\.2\./);
  const status = page.locator('.jp-RemoteGPU-status');
  await expect(status).toHaveText('demo: not connected');
  await connectIn(await panelOf(page));
  await expect(status).toHaveText('demo');
  await followed(page, 'lab.ipynb');
});
