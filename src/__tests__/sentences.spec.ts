import { nullTranslator } from '@jupyterlab/translation';

import { firstLine } from '../executions';
import { parseExecution, parsePod } from '../parse';
import type { Fault } from '../request';
import { RequestError } from '../request';
import {
  elapsed,
  errorSentence,
  foremost,
  lostSentence,
  rough,
  shortState,
  shortStates,
  size,
  stateLine
} from '../sentences';
import { POD_STATES } from '../types';
import type { IPod } from '../types';
import { sameVersion } from '../versions';
import { pod } from './server';

const trans = nullTranslator.load('jupyter_remote_gpu');
const told = (fields: object = {}) => parsePod(pod({ ...fields })) as IPod;

describe('sentences', () => {
  it('of times and sizes', () => {
    expect([0, 61, 3661, -5].map(elapsed)).toEqual([
      '0:00',
      '1:01',
      '1:01:01',
      '0:00'
    ]);
    expect([41, 150, 7300, 200_000].map(s => rough(s, trans))).toEqual([
      '41 s',
      '2 min',
      '2 h',
      '2 d'
    ]);
    expect([2e3, 3e8, 14.7e9].map(b => size(b, trans))).toEqual([
      '2 kB',
      '300 MB',
      '14.7 GB'
    ]);
  });

  it('of each state are different, and none is empty', () => {
    const lines = POD_STATES.map(state => stateLine(told({ state }), trans));
    expect(new Set(lines).size).toBe(POD_STATES.length);
    expect(lines).not.toContain('');
    const short = POD_STATES.map(s => shortState(told({ state: s }), 0, trans));
    expect(short.every(line => line.startsWith('runpod-4090'))).toBe(true);
  });

  it('of a connected pod have its latency and what waits', () => {
    expect(stateLine(told({ waiting: 2 }), trans)).toBe(
      'Connected · 38 ms · 2 requests wait'
    );
    expect(stateLine(told({ waiting: 1 }), trans)).toContain('1 request waits');
    expect(stateLine(told({ latency: 0.00001 }), trans)).toContain('1 ms');
  });

  it('of a lost link say since when, what it means and what follows', () => {
    const lost = told({ state: 'reconnecting', since: 959, next_try: 1003 });
    expect(lostSentence(lost, true, 1000, trans)).toBe(
      'No answer for 41 s. Your cell runs on and its output is kept on the pod. Next try in 3 s.'
    );
    expect(lostSentence(lost, false, 1004, trans)).toMatch(/Trying now\.$/);
    const bare = told({ state: 'reconnecting', since: null });
    expect(lostSentence(bare, true, 1000, trans)).toMatch(/^No answer\. /);
  });

  describe('of one pod among several', () => {
    const some = (...states: string[]) =>
      states.map((state, n) => told({ name: `p${n}`, state, since: null }));
    const on = (...pods: string[]) =>
      pods.map(pod => ({
        ...parseExecution({ id: pod, started: 1 })!,
        pod,
        kernel: 'k',
        linked: true
      }));
    const line = (pods: IPod[], active = on()) =>
      shortStates(pods, active, 0, trans);

    it('are of the one where something runs', () => {
      const pods = some('connected', 'reconnecting', 'failed');
      expect(line(pods, on('p1'))).toBe('p1: no link · p2: failed');
      expect(line(some('connected', 'connected'), on('p1'))).toBe('p1');
      // What is reached is waited for first.
      const cut = { ...on('p0')[0], linked: false };
      expect(foremost(pods, [cut, ...on('p1')])?.name).toBe('p1');
      expect(foremost(pods, [cut])?.name).toBe('p0');
    });

    it('are of one where something could run, with what is wrong elsewhere', () => {
      expect(line(some('disconnected', 'connected'))).toBe('p1');
      expect(line(some('failed', 'connected'))).toBe('p1 · p0: failed');
      expect(line(some('failed', 'connecting'))).toBe(
        'p1: connecting · p0: failed'
      );
      expect(line(some('failed', 'host-key', 'connected'))).toBe(
        'p2 · p1: host key?'
      );
      expect(line(some('disconnected'))).toBe('p0: not connected');
      expect(line([])).toBe('');
    });
  });

  it('of what went wrong are none of a program', () => {
    const of = (fault: Fault, message: string, code = '') =>
      errorSentence(new RequestError(fault, message, code), trans);
    expect(of('logged-out', 'Forbidden')).toContain('not logged in');
    expect(of('refused', 'snapshot: the answer is not JSON', 'answer')).toMatch(
      /^The Jupyter server has answered/
    );
    expect(of('refused', 'No such pod.', 'not-found')).toBe('No such pod.');
  });

  it('of a cell are its first line that does something', () => {
    expect(firstLine('\n# a\n  x = 1\ny')).toBe('x = 1');
    expect(firstLine('# only')).toBe('# only');
    expect(firstLine('')).toBe('');
  });

  it('of versions: npm and Python write them each in their way', () => {
    expect(sameVersion('7.1.0-a0', '7.1.0a0')).toBe(true);
    expect(sameVersion('7.1.0-alpha.0', '7.1.0a0')).toBe(true);
    expect(sameVersion('0.1.0', '0.2.0')).toBe(false);
    expect(sameVersion('', '0.2.0')).toBe(true);
  });
});
