import {
  body,
  contentsPath,
  isGPUCell,
  sameNotebook,
  toggle,
  usesMagics
} from '../cells';

function toggled(source: string): string {
  const { end, insert } = toggle(source);
  return insert + source.slice(end);
}

describe('%%gpu', () => {
  it.each([
    ['%%gpu\nx', true],
    ['%%gpu pod --detach\nx', true],
    ['\n%%gpu\nx', true],
    ['%%gpus\nx', false],
    ['x\n%%gpu', false],
    ['%gpu status', false]
  ])('in %j: %s', (source, expected) => {
    expect(isGPUCell(source)).toBe(expected);
  });

  it('is needed by line magics too', () => {
    expect(usesMagics('x = 1\n%gpu status')).toBe(true);
    expect(usesMagics('%gpustat')).toBe(false);
    expect(usesMagics('a %gpu b')).toBe(false);
  });

  it.each(['x = 1', '', 'a\n\nb\n', '  indented'])(
    'is added to and taken from %j',
    source => {
      const added = toggled(source);
      expect(isGPUCell(added)).toBe(true);
      expect(toggled(added)).toBe(source);
      expect(body(added)).toBe(source);
    }
  );

  it('is taken away with its arguments', () => {
    expect(toggled('%%gpu a --detach\nx')).toBe('x');
    expect(toggled('%%gpu')).toBe('');
  });
});

describe('the notebook of an execution', () => {
  it.each([
    ['/work/nb/a.ipynb', '/work', 'nb/a.ipynb'],
    ['/work/a.ipynb', '/work/', 'a.ipynb'],
    ['/workshop/a.ipynb', '/work', null],
    ['/home/me/nb/a.ipynb', '~/nb', 'a.ipynb'],
    ['/home/me/a.ipynb', '~', 'a.ipynb'],
    [`/${'root'}/x/a.ipynb`, '~', 'x/a.ipynb'],
    ['/a.ipynb', '/', 'a.ipynb'],
    ['C:\\Users\\ann\\a.ipynb', '~', 'a.ipynb']
  ])('%s in %s is %s', (file, root, expected) => {
    expect(contentsPath(file, root)).toBe(expected);
  });

  it('is the one of that path, also with a drive of collaboration', () => {
    expect(sameNotebook('/w/n/a.ipynb', 'n/a.ipynb', '/w')).toBe(true);
    expect(sameNotebook('/w/n/a.ipynb', 'RTC:n/a.ipynb', '/w')).toBe(true);
    expect(sameNotebook('/w/n/a.ipynb', 'a.ipynb', '/w')).toBe(false);
    expect(sameNotebook(null, 'a.ipynb', '/w')).toBe(false);
  });
});
