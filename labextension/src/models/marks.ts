/**
 * Owns what a mark beside a notebook's cell says: the tasks that the cell made, and if it was edited since.
 */

import type { CellTasks, Counts } from '../shapes';
import { countOf, sentence, total } from './counts';

export interface Mark {
  readonly look: 'failed' | 'running' | 'waiting' | 'done';
  readonly text: string;
  readonly label: string;
  readonly isStale: boolean;
}

/** Returns the mark of a cell with this source; none for a cell that made no task. */
export async function markOf(cell: CellTasks, source: string): Promise<Mark | null> {
  const all = total(cell.tasks);
  if (all === 0) {
    return null;
  }
  const isStale = await isOther(source, cell.source_hash);
  const done = countOf(cell.tasks, 'done');
  return {
    look: lookOf(cell.tasks),
    text: done === all ? String(all) : `${String(done)}/${String(all)}`,
    label: `${sentence(cell.tasks)}${isStale ? '; the cell was edited since' : ''}`,
    isStale
  };
}

function lookOf(tasks: Counts): Mark['look'] {
  if (countOf(tasks, 'failed') + countOf(tasks, 'blocked') > 0) {
    return 'failed';
  }
  if (countOf(tasks, 'running') > 0) {
    return 'running';
  }
  return countOf(tasks, 'waiting') + countOf(tasks, 'held') > 0 ? 'waiting' : 'done';
}

/** Tells whether a source is not the one with this SHA-256; false where the page may not compute one (plain HTTP). */
async function isOther(source: string, hash: string): Promise<boolean> {
  if (!isSecureContext || hash === '') {
    return false;
  }
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(source));
  const hex = Array.from(new Uint8Array(digest), byte => byte.toString(16).padStart(2, '0')).join('');
  return hex !== hash;
}
