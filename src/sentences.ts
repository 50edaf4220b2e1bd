import type { TranslationBundle } from '@jupyterlab/translation';

import { foremostOf } from './executions';
import { RequestError } from './request';
import type { Link } from './tokens';
import type { IPlacedExecution, IPod } from './types';

/** `1:02:31`, or `12:31` below an hour. */
export function elapsed(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [
    Math.floor(whole / 3600),
    Math.floor(whole / 60) % 60
  ];
  const two = (value: number) => String(value).padStart(2, '0');
  return hours
    ? `${hours}:${two(minutes)}:${two(whole % 60)}`
    : `${minutes}:${two(whole % 60)}`;
}

/** `41 s`, `12 min`, `3 h`, `2 d`: one figure that need not be exact. */
export function rough(seconds: number, trans: TranslationBundle): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 120) {
    return trans.__('%1 s', whole);
  }
  if (whole < 7200) {
    return trans.__('%1 min', Math.floor(whole / 60));
  }
  return whole < 172_800
    ? trans.__('%1 h', Math.floor(whole / 3600))
    : trans.__('%1 d', Math.floor(whole / 86_400));
}

/** `14.7 GB`; figures as disks and pods are sold. */
export function size(bytes: number, trans: TranslationBundle): string {
  if (bytes < 1e6) {
    return trans.__('%1 kB', Math.round(bytes / 1e3));
  }
  return bytes < 1e9
    ? trans.__('%1 MB', Math.round(bytes / 1e6))
    : trans.__('%1 GB', (bytes / 1e9).toFixed(1));
}

/** A pod's state in a word or two, without figures: what is read out when it changes. */
export function stateWord(pod: IPod, trans: TranslationBundle): string {
  switch (pod.state) {
    case 'disconnected':
      return trans.__('Not connected');
    case 'connecting':
      return trans.__('Connecting…');
    case 'host-key':
      return trans.__('Waiting for your word on its host key');
    case 'preparing':
      return trans.__('Preparing the pod…');
    case 'connected':
      return trans.__('Connected');
    case 'reconnecting':
      return trans.__('No link; trying again');
    case 'failed':
      return trans.__('It did not work');
  }
}

/** The line below a pod's name. */
export function stateLine(pod: IPod, trans: TranslationBundle): string {
  const parts = [stateWord(pod, trans)];
  if (pod.state === 'connected' && pod.latency !== null) {
    parts.push(trans.__('%1 ms', Math.max(1, Math.round(pod.latency * 1000))));
  }
  if (pod.waiting > 0) {
    parts.push(trans._n('%1 request waits', '%1 requests wait', pod.waiting));
  }
  return parts.join(' · ');
}

/** What a lost link means for what runs, and when it is tried again. */
export function lostSentence(
  pod: IPod,
  runs: boolean,
  now: number,
  trans: TranslationBundle
): string {
  const parts: string[] = [];
  parts.push(
    pod.since === null
      ? trans.__('No answer.')
      : trans.__('No answer for %1.', rough(now - pod.since, trans))
  );
  parts.push(
    runs
      ? trans.__('Your cell runs on and its output is kept on the pod.')
      : trans.__('What runs there runs on, and its output is kept on the pod.')
  );
  parts.push(nextSentence(pod.nextTry, now, trans));
  return parts.join(' ');
}

/** When it is tried again; times in seconds. */
export function nextSentence(
  next: number | null,
  now: number,
  trans: TranslationBundle
): string {
  const left = next === null ? 0 : Math.ceil(next - now);
  return left > 0
    ? trans.__('Next try in %1 s.', left)
    : trans.__('Trying now.');
}

/** What the status bar says of a pod. */
export function shortState(
  pod: IPod,
  now: number,
  trans: TranslationBundle
): string {
  switch (pod.state) {
    case 'connected':
      return pod.name;
    case 'reconnecting':
      return pod.since === null
        ? trans.__('%1: no link', pod.name)
        : trans.__(
            '%1: no link for %2',
            pod.name,
            rough(now - pod.since, trans)
          );
    case 'connecting':
    case 'preparing':
      return trans.__('%1: connecting', pod.name);
    case 'host-key':
      return trans.__('%1: host key?', pod.name);
    case 'failed':
      return trans.__('%1: failed', pod.name);
    case 'disconnected':
      return trans.__('%1: not connected', pod.name);
  }
}

const ORDER = [
  'connected',
  'reconnecting',
  'host-key',
  'preparing',
  'connecting',
  'failed',
  'disconnected'
];
const TROUBLED = ['reconnecting', 'host-key', 'failed'];

/** The pod of which one line should tell: where something runs, or could; null without any. */
export function foremost(
  pods: readonly IPod[],
  active: readonly IPlacedExecution[]
): IPod | null {
  const runsOn = foremostOf(active)?.pod;
  const rank = ({ name, state }: IPod) =>
    name === runsOn ? -1 : ORDER.indexOf(state);
  return [...pods].sort((a, b) => rank(a) - rank(b))[0] ?? null;
}

/** Another pod that needs somebody; null: none does. */
export function troubled(pods: readonly IPod[], but: IPod | null): IPod | null {
  const others = pods.filter(
    ({ name, state }) => name !== but?.name && TROUBLED.includes(state)
  );
  return foremost(others, []);
}

/** What one line says of all pods; empty without any. */
export function shortStates(
  pods: readonly IPod[],
  active: readonly IPlacedExecution[],
  now: number,
  trans: TranslationBundle
): string {
  const first = foremost(pods, active);
  return [first, troubled(pods, first)]
    .filter(pod => pod !== null)
    .map(pod => shortState(pod, now, trans))
    .join(' · ');
}

/** What one line says where nobody knows how the pods are by now; null: it is known. */
export function shortLink(link: Link, trans: TranslationBundle): string | null {
  switch (link) {
    case 'unknown':
    case 'ok':
      return null;
    case 'server-gone':
      return trans.__('Remote GPU: no server');
    case 'logged-out':
      return trans.__('Remote GPU: not logged in');
    default:
      return trans.__('Remote GPU: trouble, see the panel');
  }
}

export function loggedOut(trans: TranslationBundle): string {
  return trans.__(
    'You are not logged in to the Jupyter server any more: reload the page.'
  );
}

/** Of an answer that is none of what a server of ours says. */
export function oddAnswer(trans: TranslationBundle): string {
  return trans.__(
    'The Jupyter server has answered with something that is not understood here.'
  );
}

/** What went wrong, for the user. */
export function errorSentence(
  error: unknown,
  trans: TranslationBundle
): string {
  if (error instanceof RequestError && error.code === 'late') {
    return trans.__(
      'The Jupyter server did not answer in time. Try again; if it stays so, start the server anew.'
    );
  }
  if (error instanceof RequestError && error.code === 'late-change') {
    return trans.__(
      'The Jupyter server did not answer in time. It may have done it all the same: look in the panel before you try again; if it stays so, start the server anew.'
    );
  }
  if (error instanceof RequestError && error.fault === 'server-gone') {
    return trans.__('The Jupyter server does not answer.');
  }
  if (error instanceof RequestError && error.fault === 'no-extension') {
    return trans.__(
      'The Jupyter server does not have its part of jupyter-remote-gpu.'
    );
  }
  if (error instanceof RequestError && error.fault === 'logged-out') {
    return loggedOut(trans);
  }
  if (error instanceof RequestError && error.code === 'answer') {
    return oddAnswer(trans);
  }
  return error instanceof Error ? error.message : String(error);
}
