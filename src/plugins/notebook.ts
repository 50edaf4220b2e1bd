import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { isCodeCellModel } from '@jupyterlab/cells';
import { INotebookTracker, NotebookActions } from '@jupyterlab/notebook';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { isGPUCell, toggle, usesMagics } from '../cells';
import { CommandIDs, DOMAIN } from '../ids';
import { gpuIcon, stateIcon } from '../icons';
import { Magics } from '../magics';
import { foremost, shortLink, shortStates } from '../sentences';
import { IRemoteGPU } from '../tokens';

/** "Run on GPU" in the toolbars, and the magics that it takes. */
export const notebook: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-remote-gpu:notebook',
  description: 'Adds %%gpu to cells, and loads the magics where they are used.',
  autoStart: true,
  requires: [IRemoteGPU, INotebookTracker],
  optional: [ITranslator, IStatusBar],
  activate: (
    app: JupyterFrontEnd,
    model: IRemoteGPU,
    tracker: INotebookTracker,
    translator: ITranslator | null,
    bar: IStatusBar | null
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const magics = new Magics(trans, () => model.loadMagics);
    const source = () => {
      const cell = tracker.activeCell?.model;
      return cell && isCodeCellModel(cell)
        ? cell.sharedModel.getSource()
        : null;
    };
    const statesNow = () =>
      shortLink(model.link, trans) ??
      shortStates(model.pods, model.active, model.now(), trans);
    const stateNow = () =>
      shortLink(model.link, trans) === null
        ? foremost(model.pods, model.active)?.state
        : undefined;
    /** Whether this button is the one that tells how the pod is. */
    const tells = (place: unknown) => bar === null && place === 'notebook';

    app.commands.addCommand(CommandIDs.toggleCell, {
      // Buttons show the icon alone.
      label: ({ place }) => (place ? '' : trans.__('Run on GPU')),
      caption: ({ place }) => {
        const states = tells(place) ? statesNow() : '';
        const does = isGPUCell(source() ?? '')
          ? trans.__('Run this cell here: remove %1', '%%gpu')
          : trans.__('Run on GPU: add %1 to this cell', '%%gpu');
        return states ? `${states}. ${does}` : does;
      },
      // Not as a toggle: toolbars would set aria-pressed on an element that may not have it.
      className: () => (isGPUCell(source() ?? '') ? 'lm-mod-toggled' : ''),
      icon: ({ place }) =>
        place === 'notebook'
          ? stateIcon(stateNow())
          : place === 'cell'
            ? gpuIcon
            : undefined,
      isEnabled: () => source() !== null,
      describedBy: {
        args: {
          type: 'object',
          additionalProperties: false,
          properties: {
            place: {
              type: 'string',
              enum: ['notebook', 'cell'],
              description: 'The toolbar that the button is in.'
            }
          }
        }
      },
      execute: () => {
        const panel = tracker.currentWidget;
        const text = source();
        if (!panel || text === null || !tracker.activeCell) {
          return;
        }
        const { end, insert } = toggle(text);
        tracker.activeCell.model.sharedModel.updateSource(0, end, insert);
        if (insert) {
          magics.load(panel.sessionContext);
        }
        changed();
      }
    });

    // Toolbars draw a button anew when its command is said to have changed.
    let shown = '';
    const changed = () => {
      const now =
        statesNow() +
        String(isGPUCell(source() ?? '')) +
        String(source() !== null);
      if (now !== shown) {
        shown = now;
        app.commands.notifyCommandChanged(CommandIDs.toggleCell);
      }
    };
    model.changed.connect(changed);
    tracker.activeCellChanged.connect((_, cell) => {
      cell?.model.contentChanged.connect(changed);
      changed();
    });

    tracker.widgetAdded.connect(() => {
      // One watcher is enough, as long as the page is open.
      if (!watched) {
        watched = true;
        void app.restored.then(() => model.watch());
      }
    });
    let watched = false;

    NotebookActions.executionScheduled.connect((_, { notebook: of, cell }) => {
      const text = cell.model.sharedModel.getSource();
      const panel = usesMagics(text)
        ? tracker.find(each => each.content === of)
        : undefined;
      if (panel && isCodeCellModel(cell.model)) {
        magics.load(panel.sessionContext);
        // From now on the server follows the daemon, and tells what happens.
        void model.refresh();
      }
    });
  }
};
