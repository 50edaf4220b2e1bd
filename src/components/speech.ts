import * as React from 'react';

import type { TranslationBundle } from '@jupyterlab/translation';

import { loggedOut, oddAnswer, stateWord } from '../sentences';
import type { Link } from '../tokens';
import type { IPanelView } from './Panel';
import { useTrans } from './context';

/** What a screen reader says: a state that changed, once. Nothing of what was there at first. */
export function useAnnouncement(view: IPanelView): string {
  const trans = useTrans();
  const { link, reason } = view.link;
  const words = new Map<string, string>();
  for (const pod of view.pods ?? []) {
    words.set(pod.name, `${pod.name}: ${stateWord(pod, trans)}`);
  }
  const told = [...words.values()].join('. ');
  const known = view.pods !== null;
  const now = { link, words: known ? words : null };
  const before = React.useRef(now);
  const [said, setSaid] = React.useState('');
  React.useEffect(() => {
    const old = before.current;
    before.current = { link, words: now.words ?? old.words };
    const news: string[] = [];
    if (link !== old.link && !(link === 'ok' && old.link === 'unknown')) {
      news.push(linkWord(link, reason, trans));
    }
    if (old.words) {
      for (const [name, word] of words) {
        if (old.words.get(name) !== word) {
          news.push(word);
        }
      }
    }
    setSaid(news.filter(Boolean).join('. '));
    // The words as they are told, not as they are made anew each time.
  }, [link, known, told]);
  return said;
}

/** What to say of the way to the server; its figures, which count, are left out. */
function linkWord(
  link: Link,
  reason: string,
  trans: TranslationBundle
): string {
  switch (link) {
    case 'unknown':
      return '';
    case 'ok':
      return trans.__('The Jupyter server answers again');
    case 'server-gone':
      return trans.__('The Jupyter server does not answer');
    case 'no-extension':
      return trans.__(
        'The Jupyter server does not have its part of jupyter-remote-gpu'
      );
    case 'logged-out':
      return loggedOut(trans);
    case 'version':
    case 'trouble':
      return reason || oddAnswer(trans);
  }
}

/**
 * What had the focus may go when a state changes ("Try now" when the link is back): then the
 * main button of its pod takes it, else the panel, so that the keyboard stays where it was.
 */
export function useKeptFocus(root: React.RefObject<HTMLElement>): void {
  const last = React.useRef<{ element: Element; pod: string } | null>(null);
  React.useEffect(() => {
    const node = root.current;
    const onIn = (event: FocusEvent) => {
      const element = event.target as Element;
      const pod = element.closest<HTMLElement>('[data-pod]')?.dataset.pod ?? '';
      last.current = { element, pod };
    };
    const onOut = (event: FocusEvent) => {
      // To another element by the user's doing; what is removed tells none.
      if (event.relatedTarget) {
        last.current = null;
      }
    };
    node?.addEventListener('focusin', onIn);
    node?.addEventListener('focusout', onOut);
    return () => {
      node?.removeEventListener('focusin', onIn);
      node?.removeEventListener('focusout', onOut);
    };
  }, [root]);
  React.useLayoutEffect(() => {
    const lost = last.current;
    const { activeElement, body } = document;
    if (!lost || lost.element.isConnected || activeElement !== body) {
      return;
    }
    last.current = null;
    const mains =
      root.current?.querySelectorAll<HTMLElement>('[data-pod-main]');
    const main = [...(mains ?? [])].find(
      each => each.dataset.podMain === lost.pod
    );
    (main ?? root.current)?.focus();
  });
}
