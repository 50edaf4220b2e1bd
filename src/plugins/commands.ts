import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, InputDialog } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Actions } from '../actions';
import { tellError } from '../dialogs';
import { CommandIDs, DOMAIN, PANEL_ID } from '../ids';
import { gpuIcon } from '../icons';
import { goToCell } from '../navigation';
import { IRemoteGPU } from '../tokens';
import type { IPlacedExecution, IPod } from '../types';

type Args = { readonly pod?: unknown; readonly execution?: unknown };

const POD_ARGS = {
  args: {
    type: 'object',
    additionalProperties: false,
    properties: {
      pod: {
        type: 'string',
        description: 'The name of the pod; without one it is asked for.'
      }
    }
  }
} as const;

const EXECUTION_ARGS = {
  args: {
    type: 'object',
    additionalProperties: false,
    required: ['execution'],
    properties: {
      execution: {
        type: 'string',
        description: 'The id of an execution that is queued or runs.'
      }
    }
  }
} as const;

const NO_ARGS = {
  args: { type: 'object', additionalProperties: false, properties: {} }
} as const;

/** What the panel does, as commands. */
export const commands: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-remote-gpu:commands',
  description: 'Commands for pods and what runs on them, palette and menu.',
  autoStart: true,
  requires: [IRemoteGPU],
  optional: [ITranslator, ICommandPalette, INotebookTracker],
  activate: (
    app: JupyterFrontEnd,
    model: IRemoteGPU,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    tracker: INotebookTracker | null
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const tell = (error: unknown) => tellError(error, trans);
    const goTo = async (execution: IPlacedExecution) => {
      if (tracker) {
        await goToCell(app, tracker, execution, trans);
      }
    };
    const actions = new Actions(model, trans, goTo);

    /** The pod that is named, else the only one that fits, else the one that the user picks. */
    const podFor = async (
      { pod: name }: Args,
      title: string,
      fits: (pod: IPod) => boolean
    ): Promise<IPod | null> => {
      if (model.snapshot === null) {
        await model.refresh();
      }
      if (typeof name === 'string') {
        return model.pods.find(pod => pod.name === name) ?? null;
      }
      const pods = model.pods.filter(fits);
      if (pods.length < 2) {
        return pods[0] ?? null;
      }
      const items = pods.map(pod => pod.name);
      const { value } = await InputDialog.getItem({ title, items });
      return pods.find(pod => pod.name === value) ?? null;
    };

    const withPod = (
      id: string,
      label: string,
      fits: (pod: IPod) => boolean,
      act: (pod: IPod) => void
    ) => {
      app.commands.addCommand(id, {
        label,
        caption: label,
        describedBy: POD_ARGS,
        execute: async args => {
          const pod = await podFor(args, label, fits);
          if (pod) {
            act(pod);
          } else {
            // The panel says what there is, or how a pod is added.
            app.shell.activateById(PANEL_ID);
          }
        }
      });
    };

    // A notification may ask for a cell that has ended.
    const ended = new Map<unknown, IPlacedExecution>();
    model.ended.connect((_, execution) => ended.set(execution.id, execution));

    const withExecution = (
      id: string,
      label: string,
      act: (execution: IPlacedExecution) => unknown
    ) => {
      app.commands.addCommand(id, {
        label,
        caption: label,
        describedBy: EXECUTION_ARGS,
        execute: async ({ execution: wanted }) => {
          const execution =
            model.active.find(({ id }) => id === wanted) ?? ended.get(wanted);
          if (execution) {
            await act(execution);
          }
        }
      });
    };
    app.commands.addCommand(CommandIDs.openPanel, {
      label: trans.__('Open the Remote GPU Panel'),
      caption: trans.__('Pods, what runs on them, and kernels'),
      icon: gpuIcon,
      describedBy: NO_ARGS,
      execute: () => app.shell.activateById(PANEL_ID)
    });
    app.commands.addCommand(CommandIDs.startDemo, {
      label: trans.__('Try with a Pod on This Machine'),
      caption: trans.__('Start a pod on this machine and connect to it'),
      describedBy: NO_ARGS,
      execute: async () => {
        app.shell.activateById(PANEL_ID);
        await actions.startDemo().catch(tell);
      }
    });
    withPod(
      CommandIDs.connectPod,
      trans.__('Connect a Pod'),
      ({ state }) => state !== 'connected',
      ({ name }) => actions.connect(name)
    );
    withPod(
      CommandIDs.disconnectPod,
      trans.__('Disconnect a Pod'),
      ({ state }) => state !== 'disconnected',
      ({ name }) => actions.disconnect(name)
    );
    withPod(
      CommandIDs.removePod,
      trans.__('Remove a Pod…'),
      () => true,
      actions.remove
    );
    withPod(
      CommandIDs.showLog,
      trans.__('Show the Log of a Pod'),
      () => true,
      ({ name }) => actions.showLog(name)
    );
    withExecution(
      CommandIDs.goToCell,
      trans.__('Go to a Cell That Runs on a Pod'),
      execution => goTo(execution).catch(tell)
    );
    withExecution(
      CommandIDs.interruptExecution,
      trans.__('Interrupt a Cell That Runs on a Pod'),
      execution => actions.interrupt(execution)
    );

    const category = trans.__('Remote GPU');
    for (const command of [
      CommandIDs.openPanel,
      CommandIDs.toggleCell,
      CommandIDs.connectPod,
      CommandIDs.disconnectPod,
      CommandIDs.startDemo,
      CommandIDs.showLog,
      CommandIDs.removePod
    ]) {
      palette?.addItem({ command, category });
    }
  }
};
