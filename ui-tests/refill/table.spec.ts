/**
 * What may happen to a page while its cell runs, with the link whole and cut: the saved notebook
 * has all of it in the end. The short project takes a row of each kind.
 */
import type { BrowserContext, Page } from '@playwright/test';

import { expect, test } from './calm';
import type { INotebook, ISavedCell } from './demo';
import {
  PATIENCE,
  ask,
  begin,
  connect,
  cut,
  killServer,
  loaded,
  open,
  output,
  reload,
  restart,
  savedWhen,
  textOf
} from './demo';

const STEPS = 40;
const code = (steps: number) => `%%gpu
import time
from IPython.display import display
from tqdm.notebook import tqdm
shown = display('begun', display_id=True)
for i in tqdm(range(${steps})):
    print('line', i, flush=True)
    shown.update(f'step {i}')
    time.sleep(0.25)
1 / 0`;
const lines = (steps: number) =>
  [...Array(steps).keys()].map(i => `line ${i}\n`).join('');
const CUT = 6;
const STATE = 'application/vnd.jupyter.widget-state+json';
const VIEW = 'application/vnd.jupyter.widget-view+json';

interface IRow {
  readonly name: string;
  /** From a page whose cell runs; the page that has the notebook afterwards. */
  readonly happens: (
    page: Page,
    file: string,
    context: BrowserContext
  ) => Promise<Page>;
  /** Whether the short project has it too. */
  readonly short: readonly ['whole'] | readonly ['cut'] | readonly [];
}

/** A cell that runs in a new notebook, with the link as it is to be. */
async function begun(
  page: Page,
  file: string,
  link: string,
  steps = STEPS
): Promise<void> {
  await begin(page, file, code(steps));
  await expect(output(page)).toContainText('line 3\n', PATIENCE);
  if (link === 'cut') {
    await cut(CUT);
  }
}

async function opened(context: BrowserContext, file: string): Promise<Page> {
  const page = await context.newPage();
  await open(page, file);
  return page;
}

const ROWS: readonly IRow[] = [
  {
    name: 'the page is loaded again',
    happens: async page => {
      await reload(page);
      return page;
    },
    short: ['whole']
  },
  {
    name: 'the tab is closed, and opened',
    happens: async (page, file, context) => {
      await page.close();
      return opened(context, file);
    },
    short: []
  },
  {
    name: 'the tab is closed, the server is killed and started, and it is opened',
    happens: async (page, file, context) => {
      await page.close();
      await killServer();
      return opened(context, file);
    },
    short: ['whole']
  },
  {
    name: 'the server is killed and started under the page',
    happens: async page => {
      await killServer();
      return page;
    },
    short: []
  },
  {
    name: 'the local kernel is restarted',
    happens: async page => {
      await restart(page);
      return page;
    },
    short: ['cut']
  }
];

/** The file has all that the cell has said, in order, and how it ended. */
function whole({ cells: [cell], metadata }: INotebook): void {
  const { outputs } = cell;
  expect(outputs.map(each => each.output_type)).toEqual([
    'display_data',
    'display_data',
    'stream',
    'error'
  ]);
  const [display, bar, , error] = outputs;
  expect([display.data!['text/plain']].flat()).toEqual([`'step ${STEPS - 1}'`]);
  expect(textOf(cell)).toBe(lines(STEPS));
  expect([error.ename, error.evalue]).toEqual([
    'ZeroDivisionError',
    'division by zero'
  ]);
  expect(error.traceback!.join('\n')).toContain('Traceback');
  expect(cell.execution_count).toBe(1);

  // The bar that is shown, and all that it refers to.
  const { state } = metadata.widgets![STATE];
  const { model_id } = bar.data![VIEW] as { model_id: string };
  const { children } = state[model_id].state as { children: string[] };
  const models = children.map(id => state[id.replace('IPY_MODEL_', '')]);
  const [before, value, after] = models.map(({ state }) => state.value);
  expect([before, value]).toEqual(['100%', STEPS]);
  expect(after).toContain(`${STEPS}/${STEPS}`);
  const bars = Object.values(state).filter(
    ({ model_name }) => model_name === 'FloatProgressModel'
  );
  expect(bars).toHaveLength(1);
}

test.beforeAll(connect);

for (const { name, happens, short } of ROWS) {
  for (const link of ['whole', 'cut'] as const) {
    const isShort = (short as readonly string[]).includes(link);
    const file = `${name}, ${link}.ipynb`;
    const tag = isShort ? [] : ['@long'];
    test(`${name}, the link ${link}`, { tag }, async ({ page, context }) => {
      await begun(page, file, link);
      const after = await happens(page, file, context);
      await loaded(after);
      whole(await savedWhen(after, file, 'complete'));
      await expect(after.locator('.jp-InputPrompt').first()).toHaveText('[1]:');
      await expect(output(after)).toContainText('ZeroDivisionError');
      const note = after.getByText('Output completed from the pod');
      await expect(note).toBeVisible();
      // What it said to its end is asked for no more, and the file stays.
      await reload(after);
      await expect(output(after)).toContainText('line 39\n');
      await expect(note).toHaveCount(0);
      whole(await savedWhen(after, file, 'complete'));
    });
  }
}

/** Restart the pod's kernel of a notebook, as the panel does; without a link it is asked for again. */
async function restartOnPod(file: string): Promise<void> {
  const { kernels } = (await ask('remote-gpu/kernels')) as {
    kernels: { id: string; notebook: string | null }[];
  };
  const of = kernels.filter(({ notebook }) => notebook?.endsWith(`/${file}`));
  expect(of).toHaveLength(1);
  const path = `remote-gpu/pods/demo/kernels/${of[0].id}/restart`;
  await expect(async () => ask(path, 'POST', {})).toPass(PATIENCE);
}

/** The file has what the cell had said until its kernel was stopped, and that it was. */
async function stopped({ cells: [cell] }: INotebook): Promise<void> {
  const id = cell.metadata.remote_gpu!.execution;
  const told = (await ask(`remote-gpu/executions/${id}/outputs`)) as ISavedCell;
  // The magic's own words are beside them.
  const outputs = cell.outputs.filter(({ name }) => name !== 'stderr');
  const said = textOf({ ...cell, outputs });
  const count = said.split('\n').length - 1;
  expect(count).toBeGreaterThan(3);
  expect(said).toBe(lines(count));
  expect(said).toBe(textOf(told));
  // A link that was lost leaves a display that shows nothing, and a text in two.
  const [display, bar, error, ...more] = outputs.filter(
    ({ output_type, data }) =>
      output_type !== 'stream' && (!data || Object.keys(data).length > 0)
  );
  expect([display.data!['text/plain']].flat()[0]).toMatch(
    new RegExp(`^'step (${count - 2}|${count - 1})'$`)
  );
  expect(bar.data).toHaveProperty([VIEW, 'model_id']);
  expect(outputs.at(-1)).toBe(error);
  expect([error.output_type, error.ename]).toEqual(['error', 'KernelDied']);
  expect(error.evalue).toMatch(
    /^The kernel on demo was stopped while this cell ran\. /
  );
  expect(more).toEqual([]);
  expect(cell.execution_count).toBe(1);
}

for (const link of ['whole', 'cut'] as const) {
  const tag = link === 'whole' ? [] : ['@long'];
  test(
    `the pod's kernel is restarted, the link ${link}`,
    { tag },
    async ({ page }) => {
      const file = `restarted on the pod, ${link}.ipynb`;
      await begun(page, file, link, 10 * STEPS);
      await restartOnPod(file);
      const notebook = await savedWhen(page, file, 'complete');
      await stopped(notebook);
      await reload(page);
      await expect(output(page)).toContainText('KernelDied');
      expect(await savedWhen(page, file, 'complete')).toEqual(notebook);
    }
  );
}
