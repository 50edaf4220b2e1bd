/** What the server tells in each state that is pictured. */

/** All times are by this one: what is played now is as old as it was when it was played before. */
const now = 1_800_000_000;

/** The notebook that all is about, as the kernel was told it. */
export const NOTEBOOK = '/notebooks/sampling.ipynb';

function pod(fields: object): object {
  return {
    name: 'runpod-4090',
    address: 'root@203.0.113.7:40022',
    state: 'connected',
    reason: null,
    code: null,
    since: now,
    latency: 0.038,
    waiting: 0,
    next_try: null,
    host_key: null,
    warnings: [],
    kernels: [],
    ...fields
  };
}

function execution(digit: string, fields: object): object {
  return {
    id: digit.repeat(32),
    client: 'c'.repeat(32),
    first: 1,
    last: 2,
    code: 'idata = pm.sample(nuts_sampler="numpyro", draws=4000)',
    state: 'running',
    requested: now - 760,
    started: now - 751,
    ended: null,
    outcome: null,
    count: 12,
    meta: { notebook: NOTEBOOK, cell: digit },
    ...fields
  };
}

function kernel(...executions: object[]): object {
  return {
    id: 'a'.repeat(32),
    identity: 'b'.repeat(32),
    pod: 'runpod-4090',
    display_name: 'Python 3.12 (PyMC CUDA)',
    started: now - 8000,
    alive: true,
    last: 1,
    cwd: '',
    notebook: NOTEBOOK,
    ended: null,
    executions
  };
}

const running = execution('1', {});
const queued = execution('2', {
  state: 'queued',
  started: null,
  count: null,
  code: 'az.summary(idata)'
});

export const OFFERED = 'output without a cell';

export const STATES: Record<string, object[]> = {
  'first time': [],
  'not connected': [pod({ state: 'disconnected' })],
  'host key': [
    pod({
      state: 'host-key',
      host_key: {
        fingerprint: 'SHA256:6Zs0pMZVqzCSk1WJu0aVbbx0XzT4mQnEwDkYlS2yq1c',
        type: 'ssh-ed25519'
      }
    })
  ],
  running: [pod({ kernels: [kernel(running, queued)] })],
  'link lost': [
    pod({
      state: 'reconnecting',
      since: now - 41,
      next_try: now + 20,
      reason:
        '203.0.113.7:40022 does not answer. Is the pod on, and is this its address?',
      kernels: [kernel(running)]
    })
  ],
  failed: [
    pod({
      state: 'failed',
      code: 'key-refused',
      reason:
        'root@203.0.113.7:40022 refused your keys; shown were ~/.ssh/id_ed25519. ' +
        'Add the public half (.pub) of one to ~/.ssh/authorized_keys there, or to ' +
        'the SSH keys at your provider and start the pod anew.'
    })
  ],
  // With a notebook in front that has no cell for what was run.
  [OFFERED]: [pod({})]
};

export function ended(digit: string, fields: object): object {
  return execution(digit, {
    state: 'ended',
    ended: now,
    outcome: 'ok',
    ...fields
  });
}

/** What that notebook ran, in cells that are gone. */
export const RAN = [
  ended('3', { count: 3, code: 'az.plot_trace(idata)' }),
  ended('4', { count: 5 })
];

export const KERNELS = {
  kernels: [
    {
      id: 'a'.repeat(32),
      pod: 'runpod-4090',
      alive: true,
      age: 8000,
      memory: 3.1e9,
      gpu_memory: 14.7e9,
      display_name: 'Python 3.12 (PyMC CUDA)',
      notebook: NOTEBOOK
    },
    {
      id: 'd'.repeat(32),
      pod: 'runpod-4090',
      alive: false,
      age: 90000,
      memory: null,
      gpu_memory: null,
      display_name: 'Python 3.12 (PyMC CUDA)',
      notebook: '/notebooks/eda.ipynb'
    }
  ],
  errors: {}
};

/** What is told at this moment, of a notebook at that path. */
export function told<T>(value: T, notebook: string): T {
  const later = Date.now() / 1000 - now;
  const as = (each: unknown): unknown =>
    typeof each === 'number' && Math.abs(each - now) < 100_000
      ? each + later
      : each === NOTEBOOK
        ? notebook
        : Array.isArray(each)
          ? each.map(as)
          : typeof each === 'object' && each !== null
            ? Object.fromEntries(
                Object.entries(each).map(([name, of]) => [name, as(of)])
              )
            : each;
  return as(value) as T;
}
