/** What a page says of errors of ours. */
import type { Page } from '@playwright/test';

const OURS = '/extensions/jupyter-remote-gpu/';

/**
 * The exceptions of the page from now on, and the errors that it prints by our code. What is thrown
 * in a slot of a signal Lumino catches and prints: there only the stack, in the text, names us.
 *
 * @param known - The stack of an exception that the front end has without us too.
 */
export function errorsOf(
  page: Page,
  known: RegExp | null = null
): readonly string[] {
  const errors: string[] = [];
  page.on('pageerror', error => {
    if (!known?.test(error.stack ?? '')) {
      errors.push(String(error));
    }
  });
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
