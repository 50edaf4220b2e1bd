import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ISettingRegistry } from '@jupyterlab/settingregistry';

import { RemoteGPUManager } from '../manager';
import { IRemoteGPU } from '../tokens';

/** A plugin of ours with a schema: the server tells the version of the front end with it. */
const WITH_SCHEMA = 'jupyter-remote-gpu:commands';

/** The model. It asks nothing before somebody looks. */
export const manager: JupyterFrontEndPlugin<IRemoteGPU> = {
  id: 'jupyter-remote-gpu:manager',
  description: 'What is known of pods, their kernels and executions.',
  autoStart: true,
  provides: IRemoteGPU,
  optional: [ISettingRegistry],
  activate: (app: JupyterFrontEnd, settings: ISettingRegistry | null) => {
    const { serviceManager, restored } = app;
    const model = new RemoteGPUManager({
      serverSettings: serviceManager.serverSettings,
      events: serviceManager.events.stream,
      failures: serviceManager.connectionFailure
    });
    void restored
      .then(() => settings?.load(WITH_SCHEMA))
      .then(
        loaded => {
          model.pageVersion = loaded?.version ?? '';
        },
        // Without it the versions are not compared.
        () => undefined
      );
    return model;
  }
};
