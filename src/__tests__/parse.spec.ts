import {
  parseAbout,
  parseExecution,
  parseKernels,
  parsePod,
  parseSnapshot,
  parseStrings
} from '../parse';
import { execution, kernel, pod } from './server';

const ODD = [null, undefined, 3, 'x', [], [[]], {}, { pods: 7 }, true];

describe('answers', () => {
  it.each(ODD)('%j is no reason to fail', value => {
    expect(parseSnapshot(value)).toEqual({ revision: 0, pods: [] });
    expect(parseKernels(value)).toEqual({ kernels: [], errors: [] });
    expect(parseAbout(value).error).toBeNull();
    expect(parseStrings(value, 'hosts')).toEqual([]);
    expect(parsePod(value)).toBeNull();
    expect(parseExecution(value)).toBeNull();
  });

  it('keep what they say', () => {
    const { pods, revision } = parseSnapshot({
      revision: 7,
      pods: [pod({ kernels: [kernel([execution()])] })]
    });
    expect(revision).toBe(7);
    expect(pods[0].latency).toBe(0.038);
    expect(pods[0].kernels[0].executions[0]).toMatchObject({
      state: 'running',
      cell: 'abc',
      count: 12,
      notebook: '/work/sampling.ipynb'
    });
  });

  it('leave out pods, kernels and executions that have no name', () => {
    const { pods } = parseSnapshot({
      pods: [
        pod({ name: 3 }),
        null,
        pod({ kernels: [{}, kernel([{ code: 1 }, execution()])] })
      ]
    });
    expect(pods).toHaveLength(1);
    expect(pods[0].kernels).toHaveLength(1);
    expect(pods[0].kernels[0].executions).toHaveLength(1);
  });

  it('of wrong types become what is not known', () => {
    const odd = parsePod({
      name: 'p',
      state: 'dreaming',
      latency: 'soon',
      waiting: null,
      warnings: [1, 'full'],
      host_key: []
    });
    expect(odd).toMatchObject({
      state: 'preparing',
      latency: null,
      waiting: 0,
      warnings: ['full'],
      hostKey: null
    });
  });

  it('without a state of an execution are told by their times', () => {
    const state = (fields: object) =>
      parseExecution({ id: 'a', ...fields })?.state;
    expect(state({})).toBe('queued');
    expect(state({ started: 1 })).toBe('running');
    expect(state({ started: 1, outcome: 'ok' })).toBe('ended');
  });
});
