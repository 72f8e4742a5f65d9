/**
 * Owns the side panel: all runs on this server, live ones first, and the pilots at sites.
 */

import * as React from 'react';

import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';

import type { Block } from '../models/blocks';
import { blocksOf } from '../models/blocks';
import { number } from '../models/counts';
import { isLive, progress, standing, timing, title } from '../models/run';
import type { RunsModel } from '../models/runs';
import type { Run } from '../shapes';
import { Actions } from './actions';
import { Guard } from './guard';
import { nbflowIcon } from './icon';
import { Sites } from './sites';
import { StateBar, Chips } from './statebar';

export const PANEL_ID = 'nbflow-runs';

const SHOWN_BLOCKS = 5;

type Open = (run: Run) => void;

export class RunsPanel extends ReactWidget {
  constructor(
    private readonly runs: RunsModel,
    private readonly open: Open
  ) {
    super();
    this.id = PANEL_ID;
    this.addClass('nbflow-lab-panel');
    this.title.icon = nbflowIcon;
    this.title.caption = 'nbflow runs';
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'nbflow runs');
  }

  protected override render(): JSX.Element {
    return (
      <Guard>
        <UseSignal signal={this.runs.changed}>{() => <Panel runs={this.runs} open={this.open} />}</UseSignal>
      </Guard>
    );
  }
}

function Panel({ runs, open }: { runs: RunsModel; open: Open }): JSX.Element {
  const earlier = runs.all.filter(run => !isLive(run));
  return (
    <>
      <header className="nbflow-lab-panel-head">
        <h2>nbflow</h2>
      </header>
      {runs.problem !== '' && (
        <p className="nbflow-lab-problem" role="alert">
          {runs.problem}
        </p>
      )}
      <Section name="Live" list={runs.live} {...{ runs, open }} />
      <Sites runs={runs} />
      <Section name="Earlier" list={earlier} {...{ runs, open }} />
      {!runs.isWaiting && runs.problem === '' && runs.all.length === 0 && (
        <p className="nbflow-lab-empty">
          No run yet. A run begins with <code>nf.load()</code> in a notebook or script.
        </p>
      )}
    </>
  );
}

function Section(props: { name: string; list: readonly Run[]; runs: RunsModel; open: Open }): JSX.Element | null {
  const { name, list, runs, open } = props;
  if (list.length === 0) {
    return null;
  }
  return (
    <section aria-label={`${name} runs`}>
      <h3>
        {name} <span className="nbflow-lab-muted">{list.length}</span>
      </h3>
      <ul className="nbflow-lab-runs">
        {list.map(run => (
          <Item key={run.run} run={run} runs={runs} open={open} />
        ))}
      </ul>
    </section>
  );
}

function Item({ run, runs, open }: { run: Run; runs: RunsModel; open: Open }): JSX.Element {
  const detail = runs.detail(run.run);
  const word = standing(run, detail);
  return (
    <li className="nbflow-lab-run" data-run={run.run} data-status={run.status}>
      <button type="button" className="nbflow-lab-run-open" title={run.program} onClick={() => { open(run); }}>
        <span className="nbflow-lab-run-title">{title(run)}</span>
        <span className="nbflow-lab-run-standing">{word}</span>
        <span className="nbflow-lab-muted nbflow-lab-run-line">{run.problem || `${progress(run)} · ${timing(run, new Date())}`}</span>
        <StateBar tasks={run.tasks} />
      </button>
      {isLive(run) && (
        <>
          <Chips tasks={run.tasks} />
          {detail && <p className="nbflow-lab-muted nbflow-lab-run-line">on {detail.executors}</p>}
          {detail && <Blocks blocks={blocksOf(detail.nodes)} />}
          <Actions runs={runs} run={run} />
        </>
      )}
    </li>
  );
}

function Blocks({ blocks }: { blocks: readonly Block[] }): JSX.Element | null {
  if (blocks.length === 0) {
    return null;
  }
  const left = blocks.length - SHOWN_BLOCKS;
  return (
    <ul className="nbflow-lab-blocks nbflow-lab-muted" aria-label="Blocks">
      {blocks.slice(-SHOWN_BLOCKS).map(block => (
        <li key={block.name} title={block.name}>
          {`${block.site} ${block.job}: ${block.standing}`}
        </li>
      ))}
      {left > 0 && <li>{`and ${number(left)} earlier`}</li>}
    </ul>
  );
}
