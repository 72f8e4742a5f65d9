/**
 * Owns what is worth telling about a run that changed: it failed, it ended, its process died.
 */

import type { Run } from '../shapes';
import { countOf, number, sentence } from './counts';
import { isLive, title } from './run';

export type NewsKind = 'failed' | 'ended';

export interface News {
  readonly kind: NewsKind;
  readonly run: Run;
  readonly text: string;
}

/** Returns what happened to a run between two looks; nothing is news about a run that was not known before. */
export function newsOf(before: Run | undefined, after: Run): News[] {
  if (before === undefined || !isLive(before)) {
    return [];
  }
  const news: News[] = [];
  const failed = countOf(after.tasks, 'failed');
  if (failed > 0 && countOf(before.tasks, 'failed') === 0) {
    const many = failed === 1 ? 'a task failed' : `${number(failed)} tasks failed`;
    news.push({ kind: 'failed', run: after, text: `${title(after)}: ${many}` });
  }
  if (!isLive(after)) {
    const how = after.status === 'died' ? 'its process died' : 'the run ended';
    news.push({ kind: 'ended', run: after, text: `${title(after)}: ${how}, ${sentence(after.tasks)}` });
  }
  return news;
}
