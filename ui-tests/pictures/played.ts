import type { Page } from '@playwright/test';

import { KERNELS, RAN, STATES } from './states';

/** The server's part is played: each state stands still. */
export async function play(page: Page, state: () => string): Promise<void> {
  let revision = 1;
  await page.route('**/remote-gpu/**', async route => {
    const what = new URL(route.request().url()).pathname.split('/').pop();
    const answers: Record<string, object> = {
      about: { version: '', daemon: { pid: 1 }, error: null },
      hosts: { hosts: ['gpu1', 'gpu2'] },
      kernels: KERNELS,
      executions: { executions: RAN },
      snapshot: {
        revision: ++revision,
        daemon: { pid: 1, version: '', started: 1 },
        pods: STATES[state()]
      }
    };
    await route.fulfill({ json: answers[what ?? ''] ?? {} });
  });
}
