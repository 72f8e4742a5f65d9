/**
 * Owns what the panel knows of one run, and what can be said of it in words; knows no server and no widget.
 */

import type { Counts } from './counts';
import { countOf, number, total } from './counts';
import { moment, span } from './time';

/** Says how a run stands, by the journal's words. */
export type Status = 'running' | 'ended' | 'died' | 'elsewhere' | 'unreadable';

/** A batch job of an executor: `reason` is what the queue says while it waits. */
export interface Block {
  readonly name: string;
  readonly state: string;
  readonly reason: string;
}

/** Where a run's tasks run. */
export interface Place {
  readonly label: string;
  readonly site: string;
  readonly blocks: readonly Block[];
}

/** Times are in seconds since the epoch. */
export interface Run {
  readonly id: string;
  readonly status: Status;
  readonly outcome: string;
  readonly program: string;
  readonly host: string;
  readonly started: number;
  readonly ended: number | null;
  readonly problem: string;
  readonly tasks: Counts;
  readonly isPaused: boolean;
  readonly places: readonly Place[];
}

/** Failed tasks that failed alike; the first stands for all. */
export interface Cause {
  readonly app: string;
  readonly error: string;
  readonly message: string;
  readonly tasks: readonly number[];
  readonly blocked: number;
  readonly call: string;
  readonly traceback: string;
}

/** One task, as a table shows it. */
export interface Task {
  readonly task: number;
  readonly call: string;
  readonly state: string;
  readonly seconds: number | null;
  readonly slot: string;
  readonly origin: string;
  readonly why: string;
}

export function isLive(run: Run): boolean {
  return run.status === 'running';
}

/** Returns the last part of a run's program: the notebook or script that people know it by. */
export function title(run: Run): string {
  return run.program.split(/[\\/]/).filter(Boolean).pop() ?? run.id;
}

/** Returns how a run stands in a word or two. */
export function standing(run: Run): string {
  switch (run.status) {
    case 'running':
      if (run.isPaused) {
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

/** Returns when a run started and how long it took, or has taken. */
export function timing(run: Run, now: Date): string {
  const started = moment(run.started, now);
  const until = run.ended ?? (isLive(run) ? now.getTime() / 1000 : null);
  return until === null ? started : `${started} · ${span(until - run.started)}`;
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
