import type { Page } from '@playwright/test';

import { KERNELS, NOTEBOOK, RAN, STATES, told } from './states';

export interface IPlay {
  /** Where the notebook lies, as the server knows it. */
  readonly notebook?: string;
  /** What it ran before. */
  readonly ran?: readonly object[];
  /** What the cells of these executions show. */
  readonly outputs?: Readonly<Record<string, object>>;
}

/** The server's part is played: each state stands still. */
export async function play(
  page: Page,
  state: () => string,
  { notebook = NOTEBOOK, ran = RAN, outputs = {} }: IPlay = {}
): Promise<void> {
  let revision = 1;
  await page.route('**/remote-gpu/**', async route => {
    const parts = new URL(route.request().url()).pathname.split('/');
    const what = parts.pop()!;
    const answers: Record<string, object> = {
      about: { version: '', daemon: { pid: 1 }, error: null },
      hosts: { hosts: ['gpu1', 'gpu2'] },
      log: { lines: ['2026-11-29 10:02:11 connected'] },
      kernels: KERNELS,
      executions: { executions: ran },
      outputs: outputs[parts.pop()!] ?? {},
      snapshot: {
        revision: ++revision,
        daemon: { pid: 1, version: '', started: 1 },
        pods: STATES[state()]
      }
    };
    await route.fulfill({ json: told(answers[what] ?? {}, notebook) });
  });
}

/** Open and trust it; Galata would go by the file browser, which the panel stands before. */
export async function openNotebook(page: Page, path: string): Promise<void> {
  await page.evaluate(async path => {
    const { commands, shell } = window.jupyterapp as unknown as {
      commands: { execute(id: string, args: object): Promise<unknown> };
      shell: {
        currentWidget: {
          context: { ready: Promise<void> };
          content: { model: { cells: Iterable<{ trusted: boolean }> } };
        };
      };
    };
    await commands.execute('docmanager:open', { path });
    const { context, content } = shell.currentWidget;
    await context.ready;
    for (const cell of content.model.cells) {
      cell.trusted = true;
    }
  }, path);
}
