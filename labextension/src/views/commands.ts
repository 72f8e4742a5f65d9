/**
 * Owns the commands and where people find them: the palette and the launcher.
 */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ICommandPalette } from '@jupyterlab/apputils';
import type { ILauncher } from '@jupyterlab/launcher';

import type { Api } from '../api';
import { STARTER_CELL, starterNotebook } from '../models/starter';
import { attempt } from './attempt';
import { nbflowIcon, nbflowIconUrl } from './icon';

const FIRST_TUTORIAL = '01-first-flow.ipynb';

export const Command = {
  newNotebook: 'nbflow:new-notebook',
  insertStarter: 'nbflow:insert-starter-cell',
  openTutorial: 'nbflow:open-first-tutorial'
} as const;

/** Adds nbflow's commands to the application; each shows its own failure to the person who called it. */
export function addCommands(app: JupyterFrontEnd, api: Api): void {
  const { commands, shell } = app;
  const open = (path: string): Promise<unknown> => commands.execute('docmanager:open', { path });

  commands.addCommand(Command.newNotebook, {
    label: args => (args['isLauncher'] ? 'nbflow' : 'New nbflow Notebook'),
    caption: 'A new notebook that starts with a small parallel flow',
    icon: nbflowIcon,
    execute: args =>
      attempt('No new notebook', async () => {
        const content = starterNotebook(await api.defaultKernel());
        return open(await api.saveNewNotebook(folder(args), content));
      })
  });

  commands.addCommand(Command.insertStarter, {
    label: 'Insert an nbflow Starter Cell',
    caption: 'A small parallel flow in a new cell below the current one',
    isEnabled: () => shell.currentWidget !== null && commands.isEnabled('notebook:insert-cell-below'),
    execute: () =>
      attempt('No starter cell', async () => {
        await commands.execute('notebook:insert-cell-below');
        await commands.execute('notebook:replace-selection', { text: STARTER_CELL });
      })
  });

  commands.addCommand(Command.openTutorial, {
    label: 'Open the First nbflow Tutorial',
    caption: 'Ten minutes from nothing to a flow that fails, is repaired and goes on',
    execute: args =>
      attempt('No tutorial', async () => {
        const content = await api.shippedTutorial(FIRST_TUTORIAL);
        return open(await api.keepOrSaveNotebook(inFolder(folder(args), FIRST_TUTORIAL), content));
      })
  });
}

/** Lists the commands in the palette, and a card in the launcher where there is one. */
export function offerCommands(palette: ICommandPalette | null, launcher: ILauncher | null): void {
  for (const command of Object.values(Command)) {
    palette?.addItem({ command, category: 'nbflow' });
  }
  launcher?.add({
    command: Command.newNotebook,
    category: 'Notebook',
    kernelIconUrl: nbflowIconUrl,
    rank: 10,
    args: { isLauncher: true }
  });
}

/** The folder that the launcher stands in; the server's root elsewhere. */
function folder(args: { readonly [key: string]: unknown }): string {
  return typeof args['cwd'] === 'string' ? args['cwd'] : '';
}

function inFolder(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`;
}
