/**
 * Wires the extension together: the only file that knows both the application and nbflow's parts.
 */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';

import { Api } from './api';
import { addCommands, offerCommands } from './views/commands';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'nbflow-labextension:plugin',
  description: 'Commands that start an nbflow workflow in a notebook.',
  autoStart: true,
  optional: [ICommandPalette, ILauncher],
  activate: (app: JupyterFrontEnd, palette: ICommandPalette | null, launcher: ILauncher | null) => {
    addCommands(app, new Api(app.serviceManager));
    offerCommands(palette, launcher);
  }
};

export default plugin;
