/**
 * Owns how a person gets to the runs: panel, run views that survive a reload, commands, status bar, notifications.
 */

import type { ILayoutRestorer, JupyterFrontEnd } from '@jupyterlab/application';
import type { ICommandPalette } from '@jupyterlab/apputils';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import type { IStatusBar } from '@jupyterlab/statusbar';

import type { Api } from '../api';
import { RunsModel } from '../models/runs';
import type { Run } from '../shapes';
import { steer } from './actions';
import { CellMarks } from './gutter';
import { notify } from './notify';
import { PANEL_ID, RunsPanel } from './panel';
import { RunView } from './runview';
import { addSites } from './sites';
import { StatusItem } from './status';
import { RunButton } from './toolbar';

export const RunCommand = {
  showPanel: 'nbflow:show-runs',
  openRun: 'nbflow:open-run',
  retryFailed: 'nbflow:retry-failed'
} as const;

/** What JupyterLab may or may not have: Notebook 7 has less of it. */
export interface Surroundings {
  readonly palette: ICommandPalette | null;
  readonly restorer: ILayoutRestorer | null;
  readonly statusBar: IStatusBar | null;
  readonly registry: ISettingRegistry | null;
}

const DEFAULTS = { refreshSeconds: 5, notifyOnFailure: true, notifyOnEnd: true, cellMarks: true };

/** Adds everything about runs to the application. */
export function addRuns(app: JupyterFrontEnd, api: Api, around: Surroundings): void {
  const runs = new RunsModel(api);
  const settings = { ...DEFAULTS };
  const open = (run: string): void => void app.commands.execute(RunCommand.openRun, { run });
  const openOfNotebook = (path: string): void => {
    const run = runs.ofNotebook(path);
    void (run ? app.commands.execute(RunCommand.openRun, { run: run.run }) : app.commands.execute(RunCommand.showPanel));
  };
  addPanel(app, runs, around, open);
  addRunViews(app, api, runs, around);
  addSites(app, runs, around.palette);
  around.statusBar?.registerStatusItem('nbflow:runs', {
    item: new StatusItem(runs, () => void app.commands.execute(RunCommand.showPanel)),
    align: 'left',
    isActive: () => runs.live.length > 0,
    activeStateChanged: runs.changed
  });
  runs.news.connect((_, news) => {
    if (news.kind === 'failed' ? settings.notifyOnFailure : settings.notifyOnEnd) {
      notify(news, open);
    }
  });
  app.docRegistry.addWidgetExtension('Notebook', new RunButton(openOfNotebook));
  app.docRegistry.addWidgetExtension('Notebook', new CellMarks(api, runs, settings, open));
  void follow(around.registry, runs, settings);
}

function addPanel(app: JupyterFrontEnd, runs: RunsModel, around: Surroundings, open: (run: string) => void): void {
  const panel = new RunsPanel(runs, run => { open(run.run); });
  app.shell.add(panel, 'left', { rank: 300, type: 'nbflow' });
  around.restorer?.add(panel, PANEL_ID);
  app.commands.addCommand(RunCommand.showPanel, {
    label: 'Show nbflow Runs',
    caption: 'All runs on this server, live ones first',
    execute: () => { app.shell.activateById(PANEL_ID); }
  });
  around.palette?.addItem({ command: RunCommand.showPanel, category: 'nbflow' });
}

function addRunViews(app: JupyterFrontEnd, api: Api, runs: RunsModel, { palette, restorer }: Surroundings): void {
  const tracker = new WidgetTracker<MainAreaWidget<RunView>>({ namespace: 'nbflow-run' });
  const named = (id: unknown): Run | undefined => (typeof id === 'string' ? runs.find(id) : runs.all[0]);
  app.commands.addCommand(RunCommand.openRun, {
    label: args => (typeof args['run'] === 'string' ? 'Open nbflow Run' : 'Open the Newest nbflow Run'),
    caption: 'How it stands, its failures, its tasks, its graph and timeline',
    isEnabled: args => typeof args['run'] === 'string' || runs.all.length > 0,
    execute: args => {
      const id = typeof args['run'] === 'string' ? args['run'] : runs.all[0]?.run;
      if (id === undefined) {
        return;
      }
      let view = tracker.find(({ content }) => content.run === id);
      if (view === undefined) {
        view = new MainAreaWidget({ content: new RunView(api, runs, id) });
        view.id = `nbflow-main-${id}`;
        void tracker.add(view);
        app.shell.add(view, 'main');
      }
      app.shell.activateById(view.id);
    }
  });
  app.commands.addCommand(RunCommand.retryFailed, {
    label: 'Retry the Failed Tasks of the Newest nbflow Run',
    isEnabled: () => runs.live.length > 0,
    execute: async args => {
      const run = named(args['run']);
      if (run !== undefined) {
        await steer(runs, run, 'retry');
      }
    }
  });
  palette?.addItem({ command: RunCommand.openRun, category: 'nbflow' });
  palette?.addItem({ command: RunCommand.retryFailed, category: 'nbflow' });
  void restorer?.restore(tracker, {
    command: RunCommand.openRun,
    args: ({ content }) => ({ run: content.run }),
    name: ({ content }) => content.run
  });
}

/** Keeps `settings` as the person has set them. */
async function follow(registry: ISettingRegistry | null, runs: RunsModel, settings: typeof DEFAULTS): Promise<void> {
  const loaded = await registry?.load('nbflow-labextension:plugin');
  const take = (): void => {
    Object.assign(settings, loaded?.composite);
    runs.setPeriod(settings.refreshSeconds);
    runs.repeat();
  };
  loaded?.changed.connect(take);
  take();
}
