import { openNotebook, play } from '../pictures/played';
import { RAN, ended } from '../pictures/states';
import { accessible, expect, panelOf, test } from './support';

const ENDED = ended('5', { count: 2, code: 'print(1)' });
const cell = (id: string, source: string) => ({
  cell_type: 'code',
  id,
  source: `%%gpu\n${source}`,
  metadata: {},
  execution_count: null,
  outputs: []
});
/** Of these one runs, one waits, and one is filled; others ran in cells that are gone. */
const NOTEBOOK = JSON.stringify({
  cells: [cell('1', 'idata'), cell('2', 'az'), cell('5', 'print(1)')],
  metadata: {
    kernelspec: { name: 'python3', display_name: 'Python 3' },
    // Cells that it had.
    remote_gpu: { gone: ['3', '4'] }
  },
  nbformat: 4,
  nbformat_minor: 5
});

test.use({ autoGoto: false });

test('all that is ours can be read, wherever it stands', async ({
  page,
  baseURL,
  tmpPath
}) => {
  const notebook = `${tmpPath}/sampling.ipynb`;
  await page.contents.uploadContent(NOTEBOOK, 'text', notebook);
  await play(page, () => 'running', {
    notebook,
    ran: [...RAN, ENDED],
    outputs: {
      ['5'.repeat(32)]: {
        execution: ENDED,
        code: 'print(1)',
        outputs: [{ output_type: 'stream', name: 'stdout', text: '1\n' }],
        execution_count: 2,
        outcome: 'ok',
        widgets: null
      }
    }
  });
  await page.goto(`${baseURL}/lab`);
  const panel = await panelOf(page);
  await openNotebook(page, notebook);
  const cells = page.locator('.jp-Notebook .jp-Cell');
  await expect(cells.locator('.jp-RemoteGPU-mark')).toHaveCount(2);
  await expect(cells.locator('.jp-RemoteGPU-note')).toBeVisible();
  await expect(page.locator('.jp-RemoteGPU-status')).toBeVisible();
  await expect(panel.getByText('az.plot_trace')).toBeVisible();
  for (const i of [0, 1]) {
    const at = (await cells.nth(i).boundingBox())!;
    const prompt = cells.nth(i).locator('.jp-InputPrompt');
    const above = (await prompt.boundingBox())!;
    const mark = (await cells
      .nth(i)
      .locator('.jp-RemoteGPU-mark')
      .boundingBox())!;
    expect(mark.y).toBeGreaterThan(above.y + 10);
    expect(mark.y + mark.height).toBeLessThanOrEqual(at.y + at.height);
    expect(Math.abs(mark.x - above.x)).toBeLessThan(3);
  }

  await panel.getByRole('button', { name: 'Kernels' }).click();
  await expect(panel.getByText('eda.ipynb')).toBeVisible();
  await panel.getByRole('button', { name: 'More about runpod-4090' }).click();
  await panel.getByRole('button', { name: 'Add a pod' }).click();
  await panel.getByRole('button', { name: 'Connect', exact: true }).click();
  await expect(panel.getByRole('alert')).toBeVisible();
  await panel.locator('.jp-RemoteGPU-goto').first().hover();
  await accessible(page);

  await panel.getByRole('button', { name: 'Show log' }).click();
  await expect(page.locator('.jp-Dialog .jp-RemoteGPU-log')).toBeVisible();
  await accessible(page);
});

test('the folds are as they were left, after a reload', async ({
  page,
  baseURL
}) => {
  await play(page, () => 'running');
  await page.goto(`${baseURL}/lab`);
  let panel = await panelOf(page);
  const fold = (name: string) =>
    panel.getByRole('button', { name, exact: true });
  await expect(fold('Running')).toHaveAttribute('aria-expanded', 'true');
  const kept = page.waitForResponse(
    answer =>
      answer.request().method() === 'PUT' &&
      /"running":false.*"kernels":true/.test(answer.request().postData() ?? '')
  );
  await fold('Running').click();
  await fold('Kernels').click();
  await kept;
  await page.reload();
  panel = await panelOf(page);
  await expect(fold('Running')).toHaveAttribute('aria-expanded', 'false');
  await expect(fold('Kernels')).toHaveAttribute('aria-expanded', 'true');
  await expect(fold('Pod')).toHaveAttribute('aria-expanded', 'true');
});
