/**
 * Owns the buttons that steer a live run; what it refuses is shown to the person who asked.
 */

import * as React from 'react';

import type { Chosen } from '../api';
import { countOf } from '../models/counts';
import { isBusy, isLive } from '../models/run';
import type { RunsModel } from '../models/runs';
import type { Run } from '../shapes';
import { attempt } from './attempt';

/** Has something done for a run, and shows at once what came of it. */
export async function steer(runs: RunsModel, run: Run, ...[command, chosen]: Steering): Promise<void> {
  await attempt(`No ${command}`, () => runs.command(run, command, chosen));
}

type Steering = [command: 'cancel' | 'pause' | 'resume' | 'retry', chosen?: Chosen];

/** The buttons that make sense for a run as it stands. */
export function Actions({ runs, run }: { runs: RunsModel; run: Run }): JSX.Element | null {
  if (!isLive(run)) {
    return null;
  }
  const isPaused = runs.detail(run.run)?.isPaused === true;
  const button = (command: Steering[0], label: string): JSX.Element => (
    <button type="button" className="nbflow-lab-button" onClick={() => void steer(runs, run, command)}>
      {label}
    </button>
  );
  return (
    <div className="nbflow-lab-actions">
      {countOf(run.tasks, 'failed') > 0 && button('retry', 'Retry failed')}
      {isPaused ? button('resume', 'Resume') : isBusy(run) && button('pause', 'Pause')}
      {isBusy(run) && button('cancel', 'Cancel')}
    </div>
  );
}
