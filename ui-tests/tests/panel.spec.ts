import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';

import {
  PATIENCE,
  accessible,
  ask,
  connected,
  expect,
  panelOf,
  pods,
  test
} from './support';

test('first time; a pod on this machine, disconnected and connected', async ({
  page
}) => {
  expect(await pods()).toEqual([]);
  const panel = await panelOf(page);
  const demo = panel.getByRole('button', { name: 'Try with a pod' });
  await expect(demo).toBeVisible();
  await accessible(page);
  await demo.click();
  const card = panel.getByRole('group', { name: 'Pod demo' });
  await expect(card.getByRole('button', { name: 'Disconnect' })).toBeVisible(
    PATIENCE
  );
  await expect(card).toContainText(/connected/i);
  await accessible(page);
  await card.getByRole('button', { name: 'Disconnect' }).click();
  const connect = card.getByRole('button', { name: 'Connect', exact: true });
  await expect(connect).toBeVisible(PATIENCE);
  expect((await pods())[0].state).toBe('disconnected');
  await connect.click();
  await expect
    .poll(async () => (await pods())[0].state, PATIENCE)
    .toBe('connected');
});

test('by keyboard alone, and the focus stays', async ({ page }) => {
  await connected();
  const panel = await panelOf(page);
  const card = panel.getByRole('group', { name: 'Pod demo' });
  await expect(card.getByRole('button', { name: 'Disconnect' })).toBeVisible();
  // Tab from the panel's beginning comes by each of its controls.
  await panel.locator('.jp-RemoteGPU-panel').focus();
  const seen: string[] = [];
  const all = await panel.locator('button, input').count();
  for (let i = 0; i < all; i++) {
    await page.keyboard.press('Tab');
    seen.push(
      await page.evaluate(() => {
        const at = document.activeElement!;
        const inside = at.closest('#jupyter-remote-gpu') !== null;
        const label = at.getAttribute('aria-label') ?? at.textContent;
        return inside ? label : 'outside';
      })
    );
  }
  expect(seen).not.toContain('outside');
  expect(new Set(seen).size).toBe(all);
  expect(seen).toContain('Disconnect');
  await card.getByRole('button', { name: 'Disconnect' }).focus();
  await page.keyboard.press('Enter');
  const connect = card.getByRole('button', { name: 'Connect', exact: true });
  await expect(connect).toBeFocused(PATIENCE);
  await page.keyboard.press('Enter');
  await expect(card.getByRole('button', { name: 'Disconnect' })).toBeFocused(
    PATIENCE
  );
});

test('an unknown host key is asked about', async ({ page }) => {
  await connected();
  const { address } = (await pods())[0];
  const [, host, port] = /^(.*):(\d+)$/.exec(address)!;
  await ask('remote-gpu/pods', 'POST', {
    ssh: `ssh ${host} -p ${port}`,
    name: 'other'
  });
  const panel = await panelOf(page);
  const card = panel.getByRole('group', { name: 'Pod other' });
  await card.getByRole('button', { name: 'Connect', exact: true }).click();
  await expect(card).toContainText('SHA256:', PATIENCE);
  await accessible(page);
  await card.getByRole('button', { name: 'No', exact: true }).click();
  await expect(card).not.toContainText('SHA256:', PATIENCE);
  await card.getByRole('button', { name: 'Connect', exact: true }).click();
  await card.getByRole('button', { name: 'Yes, connect' }).click(PATIENCE);
  // That sshd takes the demo pod's own key alone; whoever tests may have none.
  await expect(card).toContainText(
    /refused your keys|no ssh key to show|has a passphrase/,
    PATIENCE
  );
  await expect(card).not.toContainText('SHA256:');
  await accessible(page);
});

test('a refused key: its public half goes to the clipboard', async ({
  page
}, info) => {
  await connected();
  const key = info.outputPath('key');
  mkdirSync(dirname(key), { recursive: true });
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  const demo = (await pods()).find(({ name }) => name === 'demo')!;
  const [, host, port] = /^(.*):(\d+)$/.exec(demo.address)!;
  await ask('remote-gpu/pods', 'POST', {
    ssh: `ssh ${host} -p ${port} -i ${key}`,
    name: 'shut'
  });
  const panel = await panelOf(page);
  const card = panel.getByRole('group', { name: 'Pod shut' });
  await card.getByRole('button', { name: 'Connect', exact: true }).click();
  await card.getByRole('button', { name: 'Yes, connect' }).click(PATIENCE);
  await card.getByRole('button', { name: 'Copy public key' }).click(PATIENCE);
  // Whoever tests may have keys of his own, which were refused too.
  const dialog = page.locator('.jp-Dialog');
  const told = page.locator('.Toastify__toast', { hasText: 'is copied' });
  await expect(told.or(dialog)).toBeVisible();
  if (await dialog.isVisible()) {
    await dialog.locator('select').selectOption(key);
    await dialog.getByRole('button', { name: 'Copy' }).click();
  }
  await expect(told).toBeVisible();
  await page.context().grantPermissions(['clipboard-read']);
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied.trim()).toBe(readFileSync(`${key}.pub`, 'utf8').trim());
});

test('where nobody listens: why, and a way on', async ({ page }) => {
  await connected();
  await ask('remote-gpu/pods', 'POST', {
    ssh: 'ssh root@127.0.0.1 -p 9',
    name: 'nobody'
  });
  const panel = await panelOf(page);
  const card = panel.getByRole('group', { name: 'Pod nobody' });
  await card.getByRole('button', { name: 'Connect', exact: true }).click();
  await expect(card.getByRole('button', { name: 'Try again' })).toBeVisible(
    PATIENCE
  );
  await expect(card).toContainText(/refused|nobody|answer/i);
  await accessible(page);
});

test('a server without its part: which command mends it', async ({ page }) => {
  await connected();
  const missing = '**/remote-gpu/**';
  await page.route(missing, route =>
    route.fulfill({ status: 404, body: '<h1>404</h1>' })
  );
  await page.reload();
  const panel = await panelOf(page);
  await expect(panel).toContainText('does not have its part', PATIENCE);
  await expect(panel).toContainText('pip install -U jupyter-remote-gpu');
  await accessible(page);
  await page.unroute(missing);
  await panel.getByRole('button', { name: 'Try now' }).click();
  const card = panel.getByRole('group', { name: 'Pod demo' });
  await expect(card).toContainText(/connected/i, PATIENCE);
  await expect(panel).not.toContainText('does not have its part');
});

test('a server of another version: which side is which', async ({ page }) => {
  await connected();
  await page.route('**/remote-gpu/about*', async route => {
    const answer = await route.fetch();
    const told = (await answer.json()) as object;
    await route.fulfill({ json: { ...told, version: '9.9.9' } });
  });
  await page.reload();
  const panel = await panelOf(page);
  await expect(panel).toContainText('the server 9.9.9', PATIENCE);
  await expect(
    panel.getByRole('button', { name: 'Reload the page' })
  ).toBeVisible();
  await accessible(page);
  // What is known is shown all the same.
  await expect(panel.getByRole('group', { name: 'Pod demo' })).toBeVisible();
});
