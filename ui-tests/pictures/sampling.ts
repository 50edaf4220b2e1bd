/** The notebook of the pictures, while its last cell runs. */

const STATE = 'application/vnd.jupyter.widget-state+json';
const VIEW = 'application/vnd.jupyter.widget-view+json';

/** As numpyro draws its bars. */
function bar(chain: number, done: number): [string, object][] {
  const id = (part: string) => `${part}${chain}`.padEnd(32, '0');
  const model = (name: string, state: object, module = 'controls') => ({
    model_name: `${name}Model`,
    model_module: `@jupyter-widgets/${module}`,
    model_module_version: '2.0.0',
    state
  });
  const parts = ['a', 'b', 'c'].map(id);
  return [
    [
      id('d'),
      model('HBox', { children: parts.map(each => `IPY_MODEL_${each}`) })
    ],
    [
      parts[0],
      model('HTML', {
        value: `Running chain ${chain}: &nbsp;${Math.round(done / 40)}%`
      })
    ],
    [parts[1], model('FloatProgress', { value: done, max: 4000 })],
    [
      parts[2],
      model('HTML', { value: `&nbsp;${done}/4000 [12:31&lt;17:14, 2.24it/s]` })
    ]
  ];
}

const BARS = [bar(0, 1680), bar(1, 1712)];

const code = (id: string, source: string, fields: object = {}) => ({
  cell_type: 'code',
  id,
  source,
  metadata: {},
  execution_count: null,
  outputs: [],
  ...fields
});

/** `told`: what the cell that runs says of its link. */
export function sampling(told: string): string {
  return JSON.stringify({
    cells: [
      code('0', 'ratings = pd.read_csv("ratings.csv")    # here', {
        execution_count: 11
      }),
      code(
        '1',
        '%%gpu\nwith model:\n    idata = pm.sample(nuts_sampler="numpyro", draws=4000)',
        {
          outputs: [
            ...BARS.map(([[model_id]]) => ({
              output_type: 'display_data',
              metadata: {},
              data: {
                'text/plain': '',
                [VIEW]: { model_id, version_major: 2, version_minor: 0 }
              }
            })),
            { output_type: 'stream', name: 'stdout', text: told }
          ]
        }
      ),
      code('2', '%%gpu\naz.summary(idata)')
    ],
    metadata: {
      kernelspec: { name: 'python3', display_name: 'Python 3' },
      widgets: {
        [STATE]: {
          version_major: 2,
          version_minor: 0,
          state: Object.fromEntries(BARS.flat())
        }
      }
    },
    nbformat: 4,
    nbformat_minor: 5
  });
}
