/** What a page says of errors of ours. */
import type { Page } from '@playwright/test';

const OURS = '/extensions/jupyter-remote-gpu/';

/**
 * The exceptions of the page from now on, and the errors that it prints by our code. What is thrown
 * in a slot of a signal Lumino catches and prints: there only the stack, in the text, names us.
 */
export function errorsOf(page: Page): readonly string[] {
  const errors: string[] = [];
  page.on('pageerror', error => errors.push(String(error)));
  page.on('console', message => {
    const text = message.text();
    if (
      message.type() === 'error' &&
      (message.location().url.includes(OURS) || text.includes(OURS))
    ) {
      errors.push(text);
    }
  });
  return errors;
}
