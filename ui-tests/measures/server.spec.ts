import type { Page } from '@playwright/test';
import { readFileSync } from 'node:fs';

import { expect, panelOf, test } from '../refill/calm';
import {
  PATIENCE,
  ask,
  connect,
  open,
  run,
  server,
  write
} from '../refill/demo';

const PAIRS = 5;
const WINDOW_MS = 60_000;
/** Linux counts in hundredths of a second. */
const TICKS = 100;

test.describe.configure({ timeout: 3 * PAIRS * WINDOW_MS });

/** Seconds of a core that a process has used. */
function used(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** The shares of a core that the processes take while nothing is touched, in percent. */
async function shares(page: Page, pids: number[]): Promise<number[]> {
  const before = pids.map(used);
  await page.waitForTimeout(WINDOW_MS);
  return pids.map((pid, i) => (100_000 * (used(pid) - before[i])) / WINDOW_MS);
}

test('what an open panel takes of server and daemon', async ({ page }) => {
  await connect();
  write('quiet.ipynb', '%%gpu\nfrom time import sleep; sleep(3600)');
  await open(page, 'quiet.ipynb');
  await run(page);
  const panel = await panelOf(page);
  const rows = panel
    .locator('#jp-RemoteGPU-fold-running')
    .getByRole('listitem');
  await expect(rows).toHaveCount(1, PATIENCE);
  const { daemon } = (await ask('remote-gpu/snapshot')) as {
    daemon: { pid: number };
  };
  const pids = [server().pid, daemon.pid];
  const shown: number[][] = [];
  const hidden: number[][] = [];
  for (let i = 0; i < PAIRS; i++) {
    await panelOf(page);
    shown.push(await shares(page, pids));
    await page.locator('.jp-SideBar [data-id="jupyter-remote-gpu"]').click();
    await expect(panel).toBeHidden();
    hidden.push(await shares(page, pids));
  }
  for (const [what, all] of Object.entries({ open: shown, hidden })) {
    for (const [i, who] of ['server', 'daemon'].entries()) {
      const each = all.map(one => one[i].toFixed(2) + ' %').join(' ');
      console.warn(`${who}, of a core, a cell running, panel ${what}: ${each}`);
    }
  }
});
