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
