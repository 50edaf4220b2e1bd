import * as React from 'react';

import { stateWord } from '../sentences';
import type { IPanelView } from './Panel';
import { useTrans } from './context';

/** What a screen reader says: a state that changed, once. Nothing of what was there at first. */
export function useAnnouncement(view: IPanelView): string {
  const trans = useTrans();
  const words = new Map<string, string>();
  if (view.link.link === 'server-gone') {
    words.set('', trans.__('The Jupyter server does not answer'));
  }
  for (const pod of view.pods ?? []) {
    words.set(pod.name, `${pod.name}: ${stateWord(pod, trans)}`);
  }
  const told = [...words.values()].join('. ');
  const before = React.useRef<Map<string, string> | null>(null);
  const [said, setSaid] = React.useState('');
  const current = React.useRef(words);
  current.current = words;
  const known = view.pods !== null;
  React.useEffect(() => {
    const old = before.current;
    if (!known && old === null) {
      return;
    }
    before.current = current.current;
    if (old !== null) {
      const news = [...current.current].filter(
        ([name, word]) => old.get(name) !== word
      );
      setSaid(news.map(([, word]) => word).join('. '));
    }
  }, [known, told]);
  return said;
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
