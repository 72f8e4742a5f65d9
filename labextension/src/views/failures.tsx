/**
 * Owns the failures of a run: those that failed alike together, with the traceback of the first and a way to go on.
 */

import * as React from 'react';

import { number } from '../models/counts';
import { isLive } from '../models/run';
import type { Cause } from '../shapes';
import { steer } from './actions';
import type { Part } from './part';
import { useAnswer } from './part';

export function Failures({ api, runs, run }: Part): JSX.Element {
  const { value, problem } = useAnswer(run, id => api.causes(id));
  if (problem !== '') {
    return <p className="nbflow-lab-problem">{problem}</p>;
  }
  if (value?.length === 0) {
    return <p className="nbflow-lab-empty">Nothing has failed.</p>;
  }
  return (
    <>
      {(value ?? []).map(cause => (
        <section key={`${cause.reason} ${cause.error} ${cause.place}`} className="nbflow-lab-cause">
          <div className="nbflow-lab-head-line">
            <h2>
              {cause.apps.join(', ')} · {cause.error || 'failed'}
            </h2>
            {isLive(run) && (
              <button
                type="button"
                className="nbflow-lab-button"
                onClick={() => void steer(runs, run, 'retry', { tasks: cause.tasks })}
              >
                {cause.tasks.length < cause.count ? `Retry the first ${number(cause.tasks.length)}` : 'Retry these'}
              </button>
            )}
          </div>
          <p>{cause.message}</p>
          <p className="nbflow-lab-muted">{extent(cause)}</p>
          <dl className="nbflow-lab-cause-facts">
            <dt>Reason</dt>
            <dd>{cause.reason}</dd>
            <dt>Where</dt>
            <dd>
              <code>{cause.place}</code>
            </dd>
            <dt>What helps</dt>
            <dd>{cause.advice}</dd>
          </dl>
          {cause.traceback !== null && (
            <details open={value?.length === 1}>
              <summary>Traceback of task {cause.tasks[0]}</summary>
              <pre>{cause.traceback}</pre>
            </details>
          )}
        </section>
      ))}
    </>
  );
}

function extent({ count, blocked }: Cause): string {
  const tasks = `${number(count)} ${count === 1 ? 'task' : 'tasks'}`;
  return blocked === 0 ? tasks : `${tasks}, ${number(blocked)} more wait for ${count === 1 ? 'it' : 'them'}`;
}
