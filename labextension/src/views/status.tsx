/**
 * Owns the item in the status bar: what all live runs together do.
 */

import * as React from 'react';

import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';

import { countOf, number, sentence, sum } from '../models/counts';
import type { RunsModel } from '../models/runs';
import type { Counts } from '../shapes';

export class StatusItem extends ReactWidget {
  constructor(
    private readonly runs: RunsModel,
    private readonly open: () => void
  ) {
    super();
    this.addClass('nbflow-lab-status');
  }

  protected override render(): JSX.Element {
    return (
      <UseSignal signal={this.runs.changed}>
        {() => {
          const tasks = sum(this.runs.live.map(run => run.tasks));
          return (
            <button type="button" title={`nbflow: ${sentence(tasks)}`} onClick={this.open}>
              {`nbflow ${brief(tasks)}`}
            </button>
          );
        }}
      </UseSignal>
    );
  }
}

function brief(tasks: Counts): string {
  const [running, failed] = [countOf(tasks, 'running'), countOf(tasks, 'failed')];
  const parts = [`▶ ${number(running)}`, `✓ ${number(countOf(tasks, 'done'))}`];
  return [...parts, ...(failed > 0 ? [`✕ ${number(failed)}`] : [])].join('  ');
}
