/* Whether a cell has what a pod said: pure. */
import type { IOutput } from '@jupyterlab/nbformat';

/**
 * Whether what is shown has all that is told. It may have more: what the magic itself says, around
 * which a text is two.
 */
export function covers(
  shown: readonly IOutput[],
  told: readonly IOutput[]
): boolean {
  const mine = parts(shown);
  return [...parts(told)].every(([kind, lines]) => {
    const rest = (mine.get(kind) ?? [])[Symbol.iterator]();
    return lines.every(line => {
      for (const each of rest) {
        if (each === line) {
          return true;
        }
      }
      return false;
    });
  });
}

/** Whether the outputs that a cell has are more than those that would replace them. */
export function longer(
  old: readonly IOutput[],
  newer: readonly IOutput[]
): boolean {
  return amount(old) > amount(newer);
}

/** How much is shown: characters of text, and a whole lot for whatever is none. */
function amount(outputs: readonly IOutput[]): number {
  return outputs
    .map(each => (each.output_type === 'stream' ? textOf(each).length : 1000))
    .reduce((sum, size) => sum + size, 0);
}

/** By kind the lines of text, and for whatever is none one that says so. */
function parts(outputs: readonly IOutput[]): Map<string, string[]> {
  const texts = new Map<string, string>();
  for (const output of outputs) {
    const kind =
      output.output_type === 'stream'
        ? `stream ${JSON.stringify(output.name)}`
        : output.output_type;
    const text = output.output_type === 'stream' ? overlaid(output) : '+\n';
    texts.set(kind, (texts.get(kind) ?? '') + text);
  }
  return new Map(
    [...texts].map(([kind, text]) => [kind, text.split('\n').filter(Boolean)])
  );
}

function textOf({ text }: IOutput): string {
  const joined: unknown = Array.isArray(text) ? text.join('') : text;
  return typeof joined === 'string' ? joined : '';
}

/** The text with what moves to the beginning of a line worked off, without Lab's cost for it. */
function overlaid(output: IOutput): string {
  const text = textOf(output);
  if (!text.includes('\r')) {
    return text;
  }
  return text
    .split(/\r*\n/)
    .map(line =>
      line.split('\r').reduce((old, each) => each + old.slice(each.length))
    )
    .join('\n');
}
