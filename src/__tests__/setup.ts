import { Signal } from '@lumino/signaling';

/*
 * Lumino catches what is thrown in a slot of a signal, and prints it, which no test would see.
 */

export const thrown: Error[] = [];

Signal.setExceptionHandler(error => thrown.push(error));

afterEach(() => {
  const errors = thrown.splice(0);
  if (errors.length > 0) {
    throw errors[0];
  }
});
