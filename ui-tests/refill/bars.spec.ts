/** The bars of the samplers, each drawn in a way of its own: they move, and end full. */
import type { Page } from '@playwright/test';

import { expect, test } from './calm';
import { connect, open, output, reload, run, savedWhen, write } from './demo';

const TUNE = 200;
/** Until the first draw: imports and compilers, on a machine that may do other things too. */
const PATIENCE = { timeout: 120_000, intervals: [100] };

interface ILibrary {
  readonly name: string;
  readonly source: string;
  /** How far each bar is in the page, and where it ends. */
  readonly read: (page: Page) => Promise<number[]>;
  readonly end: number[];
  /** What the saved notebook says of each; of widgets only once it was filled. */
  readonly kept: RegExp;
  readonly again?: boolean;
}

/** A model whose gradient takes a while, and its sampling. */
function sampling(sample: string, before = ''): string {
  return `${before}import numpy as np, pymc as pm
y = np.random.default_rng(1).normal(size=20_000)
with pm.Model() as model:
    m, s = pm.Normal('m'), pm.HalfNormal('s')
    pm.Normal('y', m, s, observed=y)
    idata = ${sample}`;
}

function pymc(sampler: string, draws: number, nuts = ''): string {
  return (
    `pm.sample(${draws}, tune=${TUNE}, chains=2, cores=2, random_seed=1, ` +
    `nuts_sampler='${sampler}', compute_convergence_checks=False${nuts})`
  );
}

/** tqdm, as widgets or as text: the percentages. */
async function percents(page: Page): Promise<number[]> {
  const text = await output(page).innerText();
  return Array.from(text.matchAll(/(\d+)%/g), each => Number(each[1]));
}

/** PyMC's table: the draws that stand behind each bar, which begin anew once it is tuned. */
async function rows(page: Page): Promise<number[]> {
  const text = await output(page).first().innerText();
  return Array.from(text.matchAll(/[━╸╺]\s+(\d+)\s/g), each => Number(each[1]));
}

/** nutpie's own table: each chain's <progress>, as a part of its maximum. */
function elements(page: Page): Promise<number[]> {
  return output(page)
    .locator('.nutpie td progress')
    .evaluateAll(all =>
      all.map(each => (each as HTMLProgressElement).position)
    );
}

/** A sampler whose bars PyMC draws. */
function table(sampler: string, draws: number): ILibrary {
  return {
    name: `${sampler} in PyMC`,
    source: sampling(pymc(sampler, draws)),
    read: rows,
    end: [draws, draws],
    kept: new RegExp(`━</span> +${draws} [^<]* 0:00:00 `, 'g'),
    again: true
  };
}

const LIBRARIES: ILibrary[] = [
  {
    name: 'tqdm.notebook',
    source: `import time; from tqdm.notebook import tqdm
for i in tqdm(range(40)): time.sleep(0.25)`,
    read: percents,
    end: [100],
    kept: /widget-view/g
  },
  table('pymc', 20_000),
  table('nutpie', 600_000),
  {
    name: 'nutpie',
    source: sampling(
      'nutpie.sample(nutpie.compile_pymc_model(model), ' +
        `draws=400_000, tune=${TUNE}, chains=2, cores=2, seed=1)`,
      'import nutpie\n'
    ),
    read: elements,
    end: [1, 1],
    kept: /value=\\"400200\\"/g
  },
  {
    name: 'numpyro, parallel',
    source: sampling(
      pymc('numpyro', 60_000, ", nuts={'chain_method': 'parallel'}"),
      'import numpyro\nnumpyro.set_host_device_count(2)\n'
    ),
    read: percents,
    end: [100, 100],
    kept: /Running\schain\s\d:\s100%/g,
    again: true
  },
  {
    name: 'numpyro, vectorized',
    source: sampling(
      pymc('numpyro', 4_000, ", nuts={'chain_method': 'vectorized'}")
    ),
    read: percents,
    end: [100],
    kept: /100%\|/g
  }
];

test.beforeAll(connect);

for (const { name, source, read, end, kept, again } of LIBRARIES) {
  test(`the bars of ${name}`, async ({ page }) => {
    test.setTimeout(240_000);
    const file = `bars of ${name}.ipynb`;
    write(file, `%%gpu\n${source}`);
    await open(page, file);
    await run(page);
    let least = read === rows ? TUNE : 0;
    const rises = async () => {
      const last = least;
      const next = async () => {
        const all = await read(page);
        return (least = all.length === end.length ? Math.min(...all) : -1);
      };
      await expect.poll(next, PATIENCE).toBeGreaterThan(last);
      expect(least).toBeLessThan(end[0]);
    };
    await rises();
    await rises();
    await rises();
    if (again) {
      // In mid-run; once saved its outputs are trusted, and with them the widgets.
      await page.evaluate(() =>
        window.jupyterapp.commands.execute('docmanager:save')
      );
      await reload(page);
      // The first may be what was saved.
      await rises();
      await rises();
      // They move: they have no sign that the link is broken.
      await expect(page.locator('.jupyter-widgets-disconnected')).toHaveCount(
        0
      );
    }
    await expect.poll(() => read(page), PATIENCE).toEqual(end);
    const text = JSON.stringify(await savedWhen(page, file, 'complete'));
    expect([...text.matchAll(kept)]).toHaveLength(end.length);
  });
}
