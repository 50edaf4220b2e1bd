import { expect, test } from '@jupyterlab/galata';
import type { CDPSession, Page } from '@playwright/test';

import { play } from '../pictures/played';

const STARTS = 15;
const PAIRS = 5;
const WINDOW_MS = 20_000;
const OURS = '/extensions/jupyter-remote-gpu/';

test.use({ autoGoto: false });

/** The parts of a CPU profile that are looked at. */
interface IProfile {
  nodes: {
    id: number;
    children?: number[];
    callFrame: { url: string; functionName: string };
  }[];
  samples: number[];
  timeDeltas: number[];
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** Milliseconds in which a frame of our bundle (of that name) was on the stack. */
function ours({ nodes, samples, timeDeltas }: IProfile, name?: string): number {
  const mine = new Set<number>();
  const byId = new Map(nodes.map(node => [node.id, node]));
  const visit = (id: number, inside: boolean) => {
    const node = byId.get(id)!;
    const { url, functionName } = node.callFrame;
    const here =
      inside || (url.includes(OURS) && (name ?? functionName) === functionName);
    if (here) {
      mine.add(id);
    }
    node.children?.forEach(child => visit(child, here));
  };
  visit(nodes[0].id, false);
  return (
    samples.reduce(
      (sum, id, i) => sum + (mine.has(id) ? timeDeltas[i] : 0),
      0
    ) / 1000
  );
}

async function taskSeconds(client: CDPSession): Promise<number> {
  const { metrics } = await client.send('Performance.getMetrics');
  return metrics.find(({ name }) => name === 'TaskDuration')!.value;
}

/** To the browser's own tools; Galata's page stands for the real one, and is not it. */
function session(page: Page): Promise<CDPSession> {
  return page.context().newCDPSession(page.context().pages()[0]);
}

/** The share of a core that the page takes while nothing is touched. */
async function share(page: Page, client: CDPSession): Promise<number> {
  const before = await taskSeconds(client);
  await page.waitForTimeout(WINDOW_MS);
  return (await taskSeconds(client)) - before;
}

test('what our code takes while JupyterLab starts', async ({
  page,
  baseURL
}) => {
  await play(page, () => 'running');
  const client = await session(page);
  await client.send('Profiler.enable');
  await client.send('Profiler.setSamplingInterval', { interval: 100 });
  const all: number[] = [];
  const activate: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    await client.send('Profiler.start');
    await page.goto(`${baseURL}/lab?reset`);
    const profile = (await client.send('Profiler.stop')).profile as IProfile;
    all.push(ours(profile));
    activate.push(ours(profile, 'activate'));
  }
  expect(Math.max(...activate)).toBeGreaterThan(0);
  for (const [what, times] of Object.entries({ all, activate })) {
    console.warn(
      `${what}, ${STARTS} starts: median ${median(times).toFixed(1)} ms, ` +
        `each ${times.map(time => time.toFixed(1)).join(' ')}`
    );
  }
});

test('what an open panel takes', async ({ page, baseURL }) => {
  await play(page, () => 'running');
  await page.goto(`${baseURL}/lab`);
  const client = await session(page);
  await client.send('Performance.enable');
  const open: number[] = [];
  const hidden: number[] = [];
  for (let i = 0; i < PAIRS; i++) {
    await page.sidebar.openTab('jupyter-remote-gpu');
    await expect(page.locator('#jupyter-remote-gpu')).toBeVisible();
    open.push(await share(page, client));
    await page.sidebar.close('left');
    hidden.push(await share(page, client));
  }
  const percent = (values: number[]) =>
    values
      .map(value => ((100_000 * value) / WINDOW_MS).toFixed(2) + ' %')
      .join(' ');
  console.warn(`of a core, two cells running: panel open ${percent(open)}`);
  console.warn(`of a core, two cells running: panel hidden ${percent(hidden)}`);
});
