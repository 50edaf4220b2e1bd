import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Actions } from '../actions';
import { CommandIDs, DOMAIN, PANEL_ID } from '../ids';
import { IRefill, IRemoteGPU } from '../tokens';
import { RemoteGPUPanel } from '../widgets/panel';

const FOLDS = `${PANEL_ID}:folds`;
const RANK = 150;

/** The sidebar, in JupyterLab and in Notebook. */
export const panel: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-remote-gpu:panel',
  description: 'The sidebar with pods, what runs, and kernels.',
  autoStart: true,
  requires: [IRemoteGPU],
  optional: [ITranslator, ILayoutRestorer, IStateDB, IRefill],
  activate: (
    app: JupyterFrontEnd,
    model: IRemoteGPU,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    state: IStateDB | null,
    refill: IRefill | null
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const goTo = ({ id }: { id: string }) =>
      app.commands.execute(CommandIDs.goToCell, { execution: id });
    const actions = new Actions(model, trans, goTo, refill);
    const widget = new RemoteGPUPanel({
      model,
      trans,
      actions,
      refill,
      onFolds: folds => void state?.save(FOLDS, { ...folds })
    });
    restorer?.add(widget, PANEL_ID);
    app.shell.add(widget, 'left', { rank: RANK, type: 'Remote GPU' });
    void app.restored
      .then(() => state?.fetch(FOLDS))
      .then(kept => {
        if (typeof kept === 'object' && kept !== null) {
          widget.folds = {
            ...(kept as Record<string, boolean>),
            ...widget.folds
          };
        }
      });
  }
};
