import { CommandRegistry } from '@lumino/commands';
import { MessageLoop } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../ids';
import { parseSnapshot } from '../parse';
import { notebook } from '../plugins/notebook';
import type { Link } from '../tokens';
import { StatusItem } from '../widgets/status';
import { pod, settled } from './server';

/** The model, as it was when the link was as it is named. */
const modelAt = (link: Link) => ({
  changed: new Signal<object, void>({}),
  pods: parseSnapshot({ pods: [pod()] }).pods,
  active: [],
  link,
  now: () => 0
});

describe.each([
  ['ok', 'runpod-4090'],
  ['server-gone', 'Remote GPU: no server'],
  ['logged-out', 'Remote GPU: not logged in'],
  ['no-extension', 'Remote GPU: trouble, see the panel'],
  ['version', 'Remote GPU: trouble, see the panel'],
  ['trouble', 'Remote GPU: trouble, see the panel']
] as const)('where the link is %s, it is told', (link, told) => {
  it('in the status bar', async () => {
    const trans = nullTranslator.load('');
    const item = new StatusItem(modelAt(link) as never, trans, () => undefined);
    Widget.attach(item, document.body);
    MessageLoop.flush();
    await settled();
    expect(item.node.textContent).toBe(told);
    expect(item.node.querySelectorAll('.jp-mod-ok')).toHaveLength(
      link === 'ok' ? 1 : 0
    );
    item.dispose();
  });

  it('by the button in the toolbar, where there is no status bar', async () => {
    const commands = new CommandRegistry();
    const tracker = {
      activeCell: null,
      activeCellChanged: new Signal({}),
      widgetAdded: new Signal({})
    };
    await notebook.activate(
      { commands } as never,
      modelAt(link),
      tracker,
      null,
      null
    );
    const args = { place: 'notebook' };
    const caption = commands.caption(CommandIDs.toggleCell, args);
    expect(caption).toMatch(new RegExp(`^${told}\\. `));
    const icon = commands.icon(CommandIDs.toggleCell, args) as unknown as {
      name: string;
    };
    expect(icon.name.endsWith('-ok')).toBe(link === 'ok');
  });
});
