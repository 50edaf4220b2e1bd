/** `%%gpu` in a cell's source, and the notebooks that executions name. */

const CELL_MAGIC = /^\s*%%gpu(?=\s|$)/;
const LINE_MAGIC = /^\s*%gpu(?=\s|$)/m;
const WHOLE_LINE = /^\s*%%gpu(?:[^\S\n][^\n]*)?(?:\n|$)/;

/** Whether the cell runs on a pod. */
export function isGPUCell(source: string): boolean {
  return CELL_MAGIC.test(source);
}

/** Whether the cell needs the magics. */
export function usesMagics(source: string): boolean {
  return isGPUCell(source) || LINE_MAGIC.test(source);
}

/** The change at the beginning of a source that adds `%%gpu`, or takes it away where it is. */
export function toggle(source: string): { end: number; insert: string } {
  const line = isGPUCell(source) ? WHOLE_LINE.exec(source) : null;
  return line
    ? { end: line[0].length, insert: '' }
    : { end: 0, insert: '%%gpu\n' };
}

/** What a `%%gpu` cell hands to the pod. */
export function body(source: string): string {
  return source.replace(WHOLE_LINE, '');
}

/** A listed code of at least so many characters may be the beginning of a longer one. */
const CUT = 120;

/**
 * Whether a cell's text is what an execution ran.
 *
 * @param whole - The code is not cut.
 */
export function sameText(source: string, code: string, whole = false): boolean {
  if (!isGPUCell(source)) {
    return false; // it would not run on a pod any more
  }
  const text = body(source);
  return (
    text.trimEnd() === code.trimEnd() ||
    (!whole && code.length >= CUT && text.startsWith(code))
  );
}

/** Whether the cell shows a handle; the magic takes `--det` too, as argparse does. */
export function isDetached(source: string): boolean {
  const line = WHOLE_LINE.exec(source)?.[0] ?? '';
  return line
    .trim()
    .split(/\s+/)
    .some(word => word.length > 2 && '--detach'.startsWith(word));
}

/**
 * The contents path of a notebook by the absolute path that its kernel knows; null if it does
 * not lie below the server's root.
 *
 * @param root - As the page has it: `~` may stand for the home folder, which is not known here.
 */
export function contentsPath(notebook: string, root: string): string | null {
  const file = slashes(notebook);
  const folder = slashes(root).replace(/\/+$/, '');
  if (folder.startsWith('~')) {
    const tail = folder.slice(1) + '/';
    const at = tail === '/' ? homeLength(file) : file.indexOf(tail);
    return at > 0 ? file.slice(at + tail.length) : null;
  }
  return file.startsWith(folder + '/') ? file.slice(folder.length + 1) : null;
}

/** Whether an execution's notebook is the one at `path` of the contents. */
export function sameNotebook(
  notebook: string | null,
  path: string,
  root: string
): boolean {
  if (!notebook) {
    return false;
  }
  const plain = withoutDrive(path);
  const known = contentsPath(notebook, root);
  return known === null ? slashes(notebook) === plain : known === plain;
}

/** A path of jupyter-collaboration's has its drive in front. */
export function withoutDrive(path: string): string {
  return path.replace(/^[^/:]+:/, '');
}

/** The last part of a path. */
export function fileName(path: string): string {
  return slashes(path).split('/').pop() ?? path;
}

function slashes(path: string): string {
  return path.replace(/\\/g, '/');
}

/** Where the part of a home folder ends: `/root`, `/home/me`, `/Users/me`, `C:/Users/me`. */
function homeLength(file: string): number {
  return (
    /^(?:\/root|(?:[A-Za-z]:)?\/(?:home|Users)\/[^/]+)(?=\/)/.exec(file)?.[0]
      .length ?? -1
  );
}
