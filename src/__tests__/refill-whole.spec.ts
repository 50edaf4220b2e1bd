import { covers, longer } from '../refill/whole';
import { text } from './filled';

const bar = { output_type: 'display_data', data: {}, metadata: {} };
const error = { output_type: 'error', ename: 'E', evalue: '', traceback: [] };

describe('whether a cell has what was said', () => {
  it.each([
    [[], [], true],
    [[text('a\nb\n')], [text('a\nb\n')], true],
    [[text('a\n')], [text('a\nb\n')], false],
    [[text('b\na\n')], [text('a\nb\n')], false],
    [[text('a\n'), bar, text('b\n')], [text('a\nb\n')], true],
    [[text('[gpu] joined\nb\n')], [text('b\n')], true],
    [[text('a\n')], [text('a\n', 'stderr')], false],
    [[text('100%')], [text(' 10%\r100%')], true],
    [[text('99%0')], [text('1000\r99%')], true],
    [[text('a\n')], [text('a\r\n')], true],
    [[bar], [bar, bar], false],
    [[bar, bar], [bar], true],
    [[text('a')], [text('a'), error], false]
  ])('%j has %j: %s', (shown, told, expected) => {
    expect(covers(shown, told)).toBe(expected);
  });

  it('is quick where bars follow a long text', () => {
    const long = 'a line of a log\n'.repeat(2e5) + ' 10%\r'.repeat(2e5);
    const before = Date.now();
    expect(covers([text(long)], [text(long)])).toBe(true);
    expect(Date.now() - before).toBeLessThan(2000);
  });
});

describe('which outputs are longer', () => {
  it('counts characters of text, and a lot for what is none', () => {
    expect(longer([text('ab')], [text('a')])).toBe(true);
    expect(longer([text('a')], [{ ...text(''), text: ['a'] }])).toBe(false);
    expect(longer([bar], [text('a'.repeat(100))])).toBe(true);
    expect(longer([], [])).toBe(false);
  });
});
