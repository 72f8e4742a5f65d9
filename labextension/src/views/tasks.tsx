/**
 * Owns the table of a run's newest tasks.
 */

import * as React from 'react';

import { groupOf, number, total } from '../models/counts';
import { span } from '../models/time';
import type { Part } from './part';
import { useAnswer } from './part';

export function Tasks({ api, run }: Part): JSX.Element {
  const { value, problem } = useAnswer(run, id => api.tasks(id));
  if (problem !== '') {
    return <p className="nbflow-lab-problem">{problem}</p>;
  }
  const tasks = value ?? [];
  const left = total(run.tasks) - tasks.length;
  return (
    <>
      <table className="nbflow-lab-tasks">
        <thead>
          <tr>
            {['Task', 'Call', 'State', 'Took', 'Ran on', 'Called in'].map(name => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {tasks.map(({ task, call, state, seconds, slot, origin }) => (
            <tr key={task}>
              <td>{task}</td>
              <td className="nbflow-lab-call">{call}</td>
              <td data-state={groupOf(state).key}>
                <span aria-hidden="true">{groupOf(state).icon}</span> {state.replace('_', ' ')}
              </td>
              <td>{seconds === null ? '' : span(seconds)}</td>
              <td>{slot}</td>
              <td>{origin}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {value !== null && left > 0 && <p className="nbflow-lab-muted">and {number(left)} older ones</p>}
    </>
  );
}
