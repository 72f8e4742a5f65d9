/**
 * Owns what each part of a run's view is given, and how it asks the server anew when the run has changed.
 */

import * as React from 'react';

import type { Api } from '../api';
import type { RunsModel } from '../models/runs';
import { told } from '../models/trouble';
import type { Run } from '../shapes';

export interface Part {
  readonly api: Api;
  readonly runs: RunsModel;
  readonly run: Run;
}

/** What was answered last, and why there is no newer answer. */
export interface Answer<T> {
  readonly value: T | null;
  readonly problem: string;
}

/** Asks for something about a run now and whenever its counts change; shows the last answer meanwhile. */
export function useAnswer<T>(run: Run, ask: (id: string) => Promise<T>): Answer<T> {
  const [answer, take] = React.useState<Answer<T>>({ value: null, problem: '' });
  React.useEffect(() => {
    let isOver = false;
    ask(run.run).then(
      value => {
        if (!isOver) {
          take({ value, problem: '' });
        }
      },
      (error: unknown) => {
        if (!isOver) {
          take(({ value }) => ({ value, problem: told(error) }));
        }
      }
    );
    return () => {
      isOver = true;
    };
  }, [run.run, run.status, JSON.stringify(run.tasks)]);
  return answer;
}
