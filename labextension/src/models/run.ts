/**
 * Owns what can be said of one run in words; knows no server and no widget.
 */

import type { Run, RunDetail } from '../shapes';
import { countOf, number, total } from './counts';
import { moment, span } from './time';

export function isLive(run: Run): boolean {
  return run.status === 'running';
}

/** Returns the last part of a run's program: the notebook or script that people know it by. */
export function title(run: Run): string {
  return run.program.split(/[\\/]/).filter(Boolean).pop() ?? run.run;
}

/** Returns how a run stands in a word or two. */
export function standing(run: Run, detail?: RunDetail): string {
  switch (run.status) {
    case 'running':
      if (detail?.isPaused) {
        return 'paused';
      }
      return isBusy(run) ? 'running' : 'idle';
    case 'ended':
      return countOf(run.tasks, 'failed') > 0 ? 'ended with failures' : 'ended';
    case 'died':
      return 'its process died';
    case 'elsewhere':
      return run.host === '' ? 'on another machine' : `on ${run.host}`;
    case 'unreadable':
      return 'cannot be read';
  }
}

/** Returns since when a run lives, or when it started and how long it took. */
export function timing(run: Run, now: Date): string {
  const started = moment(run.started, now);
  if (isLive(run)) {
    return `since ${started}`;
  }
  return run.ended === null ? started : `${started} · ${span(run.ended - run.started)}`;
}

/** Returns how far a run is: `310 of 1,000 done`. */
export function progress(run: Run): string {
  const all = total(run.tasks);
  return all === 0 ? 'no tasks yet' : `${number(countOf(run.tasks, 'done'))} of ${number(all)} done`;
}

/** Tells whether a live run has something that runs, or could. */
export function isBusy(run: Run): boolean {
  return isLive(run) && countOf(run.tasks, 'running') + countOf(run.tasks, 'waiting') > 0;
}
