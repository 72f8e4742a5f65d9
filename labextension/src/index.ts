/**
 * Wires the extension together: the only file that knows both the application and nbflow's parts.
 */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';

import { Api } from './api';
import { addCommands, offerCommands } from './views/commands';
import { addRuns } from './views/runs';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'nbflow-labextension:plugin',
  description: 'The runs of nbflow: a panel, a view of each run, marks beside cells; commands that start a workflow.',
  autoStart: true,
  optional: [ICommandPalette, ILauncher, ILayoutRestorer, IStatusBar, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    restorer: ILayoutRestorer | null,
    statusBar: IStatusBar | null,
    registry: ISettingRegistry | null
  ) => {
    const api = new Api(app.serviceManager);
    addCommands(app, api);
    offerCommands(palette, launcher);
    addRuns(app, api, { palette, restorer, statusBar, registry });
  }
};

export default plugin;
