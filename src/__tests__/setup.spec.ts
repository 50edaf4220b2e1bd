import { Signal } from '@lumino/signaling';

import { thrown } from './setup';

describe('a test', () => {
  it('would fail by what is thrown in a slot', () => {
    const signal = new Signal<object, void>({});
    signal.connect(() => {
      throw new Error('in a slot');
    });
    signal.emit();
    expect(thrown.splice(0).map(String)).toEqual(['Error: in a slot']);
  });
});
