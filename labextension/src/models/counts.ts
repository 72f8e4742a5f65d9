/**
 * Owns what counts of tasks by state say: which states belong together, in which order, in which words.
 */

import type { Counts } from '../shapes';

/** States that a person needs to tell apart, in the order of reading: what is behind us first, trouble last. */
export const GROUPS = [
  { key: 'done', word: 'done', icon: '✓', states: ['done'] },
  { key: 'running', word: 'running', icon: '▶', states: ['running', 'staging_in', 'staging_out', 'joining'] },
  { key: 'waiting', word: 'waiting', icon: '○', states: ['new', 'waiting', 'ready', 'queued'] },
  { key: 'held', word: 'held back', icon: '‖', states: ['backoff', 'paused', 'held'] },
  { key: 'failed', word: 'failed', icon: '✕', states: ['failed'] },
  { key: 'blocked', word: 'upstream failed', icon: '⊘', states: ['upstream_failed'] },
  { key: 'cancelled', word: 'cancelled', icon: '⊖', states: ['cancelled'] }
] as const;

export type GroupKey = (typeof GROUPS)[number]['key'];

/** A group with how many tasks are in it. */
export interface Share {
  readonly key: GroupKey;
  readonly word: string;
  readonly icon: string;
  readonly count: number;
}

/** Returns the groups that have tasks, in the order of reading. */
export function shares(counts: Counts): Share[] {
  return GROUPS.map(({ key, word, icon, states }) => ({
    ...{ key, word, icon },
    count: states.reduce((sum, state) => sum + (counts[state] ?? 0), 0)
  })).filter(share => share.count > 0);
}

/** Returns how many tasks of a group there are. */
export function countOf(counts: Counts, key: GroupKey): number {
  return shares(counts).find(share => share.key === key)?.count ?? 0;
}

export function total(counts: Counts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** Returns the counts of several runs as one. */
export function sum(all: readonly Counts[]): Counts {
  const result: Record<string, number> = {};
  for (const [state, count] of all.flatMap(counts => Object.entries(counts))) {
    result[state] = (result[state] ?? 0) + count;
  }
  return result;
}

/** Returns counts as a sentence: `12 tasks: 10 done, 2 failed`. */
export function sentence(counts: Counts): string {
  const all = total(counts);
  const parts = shares(counts).map(share => `${number(share.count)} ${share.word}`);
  return all === 0 ? 'no tasks yet' : `${number(all)} ${all === 1 ? 'task' : 'tasks'}: ${parts.join(', ')}`;
}

export function number(value: number): string {
  return value.toLocaleString('en');
}

/** Returns the group that a state belongs to; one that this nbflow does not know looks like a waiting one. */
export function groupOf(state: string): (typeof GROUPS)[number] {
  return GROUPS.find(({ states }) => (states as readonly string[]).includes(state)) ?? GROUPS[2];
}
