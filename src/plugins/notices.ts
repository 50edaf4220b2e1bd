import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { tellError } from '../dialogs';
import { CommandIDs, DOMAIN } from '../ids';
import { Notices } from '../notices';
import { IRemoteGPU } from '../tokens';

const ID = 'jupyter-remote-gpu:notices';
const DESKTOP = 'desktop';

/** Notifications for cells that ended after long. */
export const notices: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: 'Tells that a cell which ran for more than a minute has ended.',
  autoStart: true,
  requires: [IRemoteGPU],
  optional: [ITranslator, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    model: IRemoteGPU,
    translator: ITranslator | null,
    registry: ISettingRegistry | null
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const teller = new Notices({
      trans,
      show: ({ id }) => {
        void app.commands.execute(CommandIDs.goToCell, { execution: id });
      },
      onDesktop: () => {
        teller.desktop = true;
        // What cannot be kept counts as long as this page.
        registry
          ?.set(ID, DESKTOP, true)
          .catch((error: unknown) => tellError(error, trans));
      }
    });
    model.ended.connect((_, execution) => teller.tell(execution));
    void app.restored
      .then(() => registry?.load(ID))
      .then(
        settings => {
          const read = () => {
            teller.desktop = settings?.get(DESKTOP).composite === true;
          };
          settings?.changed.connect(read);
          read();
        },
        (error: unknown) => {
          console.warn('Remote GPU: settings could not be read', error);
        }
      );
  }
};
