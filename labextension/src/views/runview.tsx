/**
 * Owns the view of one run in the main area: how it stands, its failures, its tasks, its report. It asks the server
 * and never the kernel, so that it works while that is busy, and after it is gone.
 */

import * as React from 'react';

import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';

import type { Api } from '../api';
import { countOf } from '../models/counts';
import { isLive, standing, timing, title } from '../models/run';
import type { RunsModel } from '../models/runs';
import { Actions } from './actions';
import { Failures } from './failures';
import { Guard } from './guard';
import { nbflowIcon } from './icon';
import type { Part } from './part';
import { Report } from './report';
import { Chips, StateBar } from './statebar';
import { Tasks } from './tasks';

const TABS = ['Failures', 'Tasks', 'Graph and timeline'] as const;

type Tab = (typeof TABS)[number];

export class RunView extends ReactWidget {
  constructor(
    private readonly api: Api,
    private readonly runs: RunsModel,
    readonly run: string
  ) {
    super();
    this.id = `nbflow-run-${run}`;
    this.addClass('nbflow-lab-view');
    this.title.icon = nbflowIcon;
    this.title.label = run;
    this.title.closable = true;
    runs.changed.connect(this.rename, this);
    this.rename();
  }

  protected override render(): JSX.Element {
    return (
      <Guard>
        <UseSignal signal={this.runs.changed}>
          {() => <View api={this.api} runs={this.runs} id={this.run} />}
        </UseSignal>
      </Guard>
    );
  }

  private rename(): void {
    const run = this.runs.find(this.run);
    if (run !== undefined) {
      this.title.label = title(run);
      this.title.caption = `${run.run} · ${run.program}`;
    }
  }
}

function View({ api, runs, id }: { api: Api; runs: RunsModel; id: string }): JSX.Element {
  const run = runs.find(id);
  if (run === undefined) {
    return <p className="nbflow-lab-empty">{runs.isWaiting ? 'Asking the server …' : runs.problem || `There is no run ${id} any more.`}</p>;
  }
  return <Known {...{ api, runs, run }} />;
}

/** Shows a run that is known; the tab that it begins with stays, whatever becomes of the run meanwhile. */
function Known(part: Part): JSX.Element {
  const { runs, run } = part;
  const hasFailed = countOf(run.tasks, 'failed') > 0;
  const [tab, choose] = React.useState<Tab>(hasFailed ? 'Failures' : 'Graph and timeline');
  return (
    <>
      <Head runs={runs} run={run} />
      <Tabs chosen={tab} choose={choose} />
      <div className="nbflow-lab-pane" role="tabpanel" id={`${run.run}-pane`} aria-label={tab}>
        {tab === 'Failures' && <Failures {...part} />}
        {tab === 'Tasks' && <Tasks {...part} />}
        {tab === 'Graph and timeline' && <Report {...part} />}
      </div>
    </>
  );
}

function Head({ runs, run }: Omit<Part, 'api'>): JSX.Element {
  return (
    <header className="nbflow-lab-head">
      <div className="nbflow-lab-head-line">
        <h1>{title(run)}</h1>
        <span className="nbflow-lab-run-standing" data-status={run.status}>
          {standing(run, runs.detail(run.run))}
        </span>
        <Actions runs={runs} run={run} />
      </div>
      <p className="nbflow-lab-muted">
        {[run.run, timing(run, new Date()), run.host].filter(Boolean).join(' · ')}
        {!isLive(run) && ' · to work on with these tasks, load it again in its notebook'}
      </p>
      <StateBar tasks={run.tasks} />
      <Chips tasks={run.tasks} />
      {run.problem !== '' && <p className="nbflow-lab-problem">{run.problem}</p>}
    </header>
  );
}

function Tabs({ chosen, choose }: { chosen: Tab; choose: (tab: Tab) => void }): JSX.Element {
  const step = (event: React.KeyboardEvent): void => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by !== undefined) {
      const next = (TABS.indexOf(chosen) + by + TABS.length) % TABS.length;
      choose(TABS[next] ?? chosen);
      (event.currentTarget.children[next] as HTMLElement).focus();
    }
  };
  return (
    <div className="nbflow-lab-tabs" role="tablist" onKeyDown={step}>
      {TABS.map(tab => (
        <button
          key={tab}
          type="button"
          role="tab"
          aria-selected={tab === chosen}
          tabIndex={tab === chosen ? 0 : -1}
          onClick={() => { choose(tab); }}
        >
          {tab}
        </button>
      ))}
    </div>
  );
}
