/**
 * Owns how counts by state are drawn: a bar of shares, and chips with icon, word and number.
 */

import * as React from 'react';

import { number, sentence, shares, total } from '../models/counts';
import type { Counts } from '../shapes';

/** A bar whose parts are as long as their shares of the tasks. */
export function StateBar({ tasks }: { tasks: Counts }): JSX.Element {
  const all = total(tasks);
  return (
    <div className="nbflow-lab-bar" role="img" aria-label={sentence(tasks)} title={sentence(tasks)}>
      {shares(tasks).map(({ key, count }) => (
        <span key={key} data-state={key} style={{ flexGrow: count / all }} />
      ))}
    </div>
  );
}

/** Each group of states that has tasks, so that nothing is said by colour alone. */
export function Chips({ tasks }: { tasks: Counts }): JSX.Element {
  return (
    <ul className="nbflow-lab-chips">
      {shares(tasks).map(({ key, icon, word, count }) => (
        <li key={key} data-state={key}>
          <span aria-hidden="true">{icon}</span> {number(count)} {word}
        </li>
      ))}
    </ul>
  );
}
