/**
 * What may happen to a page while its cell runs, with the link whole and cut: the saved notebook
 * has all of it in the end. The short project takes a row of each kind.
 */
import type { BrowserContext, Page } from '@playwright/test';

import { expect, test } from './calm';
import type { INotebook } from './demo';
import {
  PATIENCE,
  connect,
  cut,
  killServer,
  loaded,
  open,
  output,
  reload,
  restart,
  run,
  savedWhen,
  textOf,
  write
} from './demo';

const STEPS = 40;
const CELL = `%%gpu
import time
from IPython.display import display
from tqdm.notebook import tqdm
shown = display('begun', display_id=True)
for i in tqdm(range(${STEPS})):
    print('line', i, flush=True)
    shown.update(f'step {i}')
    time.sleep(0.25)
1 / 0`;
const LINES = [...Array(STEPS).keys()].map(i => `line ${i}\n`).join('');
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
  expect(textOf(cell)).toBe(LINES);
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
      write(file, CELL);
      await open(page, file);
      await run(page);
      await expect(output(page)).toContainText('line 3\n', PATIENCE);
      if (link === 'cut') {
        await cut(CUT);
      }
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
