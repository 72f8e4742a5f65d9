/**
 * Owns the failures of a run: those that failed alike together, with the traceback of the first and a way to go on.
 */

import * as React from 'react';

import { number } from '../models/counts';
import { isLive } from '../models/run';
import type { Cause } from '../shapes';
import { steer } from './actions';
import { Editor } from './editor';
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
        <Group
          key={`${cause.reason} ${cause.error} ${cause.place}`}
          cause={cause}
          isOnly={value?.length === 1}
          {...{ api, runs, run }}
        />
      ))}
    </>
  );
}

function Group({ cause, isOnly, ...part }: Part & { cause: Cause; isOnly: boolean }): JSX.Element {
  const [isEdited, edit] = React.useState(false);
  return (
    <section className="nbflow-lab-cause">
      <div className="nbflow-lab-head-line">
        <h2>
          {cause.apps.join(', ')} · {cause.error || 'failed'}
        </h2>
        {isLive(part.run) && !isEdited && <Buttons cause={cause} edit={() => { edit(true); }} {...part} />}
      </div>
      <p>{cause.message}</p>
      <p className="nbflow-lab-muted">{extent(cause)}</p>
      {isLive(part.run) && isEdited && <Editor tasks={cause.tasks} close={() => { edit(false); }} {...part} />}
      <dl className="nbflow-lab-cause-facts">
        <dt>{cause.count === 1 ? 'Call' : 'First call'}</dt>
        <dd>
          <code>{cause.call}</code>
        </dd>
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
        <details open={isOnly}>
          <summary>Traceback of task {cause.tasks[0]}</summary>
          <pre>{cause.traceback}</pre>
        </details>
      )}
    </section>
  );
}

function Buttons({ cause, edit, runs, run }: Part & { cause: Cause; edit: () => void }): JSX.Element {
  const { tasks, count } = cause;
  return (
    <div className="nbflow-lab-actions">
      <button type="button" className="nbflow-lab-button" onClick={() => void steer(runs, run, 'retry', { tasks })}>
        {tasks.length < count ? `Retry the first ${number(tasks.length)}` : 'Retry these'}
      </button>
      <button type="button" className="nbflow-lab-button" onClick={edit}>
        Edit and retry
      </button>
    </div>
  );
}

function extent({ count, blocked }: Cause): string {
  const tasks = `${number(count)} ${count === 1 ? 'task' : 'tasks'}`;
  return blocked === 0 ? tasks : `${tasks}, ${number(blocked)} more wait for ${count === 1 ? 'it' : 'them'}`;
}
