import { accessible, alone, expect, panelOf, test } from './calm';
import { PATIENCE, ask, cut, open, output, run, write } from './demo';

/** Until the daemon has noticed a cut, and until a try got through after it. */
const LINK = { timeout: 60_000 };

test.describe.configure({ timeout: 300_000 });

test.beforeEach(alone);

/** When the daemon tries next, in seconds since the epoch. */
async function nextTry(): Promise<number> {
  const pod = (await ask('remote-gpu/pods/demo')) as {
    next_try: number | null;
  };
  return pod.next_try ?? 0;
}

test('the link is lost: why, "Try now", and it comes back', async ({
  page
}) => {
  write('plain.ipynb', 'x = 1');
  await open(page, 'plain.ipynb');
  const panel = await panelOf(page);
  const card = panel.getByRole('group', { name: 'Pod demo' });
  const said = panel.getByRole('status');
  await expect(card).toContainText(/Connected · \d+ ms/, PATIENCE);
  await cut(90);
  const now = card.getByRole('button', { name: 'Try now' });
  await expect(now).toBeVisible(LINK);
  await expect(said).toHaveText('demo: No link; trying again');
  await expect(card).toContainText(
    /No answer for \d+ s\. What runs there runs on, and its output is kept on the pod\./
  );
  // Why: a sentence of its own.
  await expect(card.locator('.jp-RemoteGPU-small')).toHaveText(/\w{3,}.*\.$/);
  await expect(page.locator('.jp-RemoteGPU-status')).toHaveText(
    /demo: no link for \d+ s/
  );
  await expect(card.getByRole('button', { name: 'Disconnect' })).toBeVisible();
  await accessible(page);

  // Nothing waits for the link: the pauses grow, until somebody wants it now.
  await expect(card).toContainText(/Next try in [5-9] s\./, LINK);
  const left = async () => (await nextTry()) - Date.now() / 1000;
  await expect.poll(left, { ...LINK, intervals: [100] }).toBeGreaterThan(6.5);
  const planned = await nextTry();
  await now.click();
  await expect
    .poll(nextTry, { ...PATIENCE, intervals: [50] })
    .toBeLessThan(planned - 1);
  await expect(now).toBeFocused();

  // By itself, and the focus stays in the card.
  await expect(card).toContainText(/Connected · \d+ ms/, { timeout: 120_000 });
  await expect(now).toHaveCount(0);
  await expect(said).toHaveText('demo: Connected');
  await expect(card.getByRole('button', { name: 'Disconnect' })).toBeFocused();
  await expect(page.locator('.jp-RemoteGPU-status')).toHaveText('demo');
});

test('the link is lost while a cell runs', async ({ page }) => {
  write(
    'lost.ipynb',
    '%%gpu\nimport time\nfor i in range(160):\n' +
      "    print('line', i, flush=True)\n    time.sleep(0.25)"
  );
  await open(page, 'lost.ipynb');
  const panel = await panelOf(page);
  const card = panel.getByRole('group', { name: 'Pod demo' });
  await run(page);
  await expect(output(page)).toContainText('line 3\n', PATIENCE);
  await cut(30);
  await expect(card).toContainText(
    'Your cell runs on and its output is kept on the pod.',
    LINK
  );
  await expect(panel.getByText('Output will catch up')).toBeVisible();
  const mark = page.locator('.jp-Notebook .jp-Cell .jp-RemoteGPU-mark');
  await expect(mark).toHaveClass(/jp-mod-lost/);
  await expect(mark).toHaveText(/^\d+:\d\d$/);
  await accessible(page);
  await expect(card).toContainText(/Connected/, LINK);
  await expect(panel.getByText('Output will catch up')).toHaveCount(0);
  await expect(output(page)).toContainText('line 159\n', LINK);
  await expect(panel.getByText('Nothing runs.')).toBeVisible(PATIENCE);
  await expect(mark).toHaveCount(0);
});

test("the Jupyter server's absence", async ({ page }) => {
  write('away.ipynb', 'x = 1');
  await open(page, 'away.ipynb');
  // For the panel alone, so that no dialog of JupyterLab's is in the way.
  const ours = /\/remote-gpu\//;
  await page.route(ours, route => route.abort());
  const panel = await panelOf(page);
  const banner = panel.getByText(
    /The Jupyter server has not answered for \d+ s\. What runs on the pods runs on\./
  );
  await expect(banner).toBeVisible(PATIENCE);
  await expect(banner).toContainText(/Next try in \d+ s\.|Trying now\./);
  const status = page.locator('.jp-RemoteGPU-status');
  await expect(status).toHaveText('Remote GPU: no server');
  await accessible(page);

  // A try by hand that fails too, then one that does not: long before they would come.
  const now = panel.getByRole('button', { name: 'Try now' });
  for (const back of [false, true]) {
    await expect(banner).toContainText(/in ([5-9]|\d\d) s\./, PATIENCE);
    if (back) {
      await page.unroute(ours);
    }
    const asked = page.waitForRequest(ours, { timeout: 4000 });
    await now.click();
    await asked;
    await expect(banner).toHaveCount(back ? 0 : 1, PATIENCE);
  }
  const card = panel.getByRole('group', { name: 'Pod demo' });
  await expect(card).toContainText('Connected');
  await expect(status).toHaveText('demo');

  // By itself too.
  await page.route(ours, route => route.abort());
  await page.locator('.jp-SideBar [data-id="jupyter-remote-gpu"]').click();
  await expect(panel).toBeHidden();
  await panelOf(page);
  await expect(banner).toBeVisible(PATIENCE);
  await page.unroute(ours);
  await expect(banner).toHaveCount(0, PATIENCE);
  await expect(card).toContainText('Connected');
});
