/**
 * Owns what can be said of a run's blocks in words; knows no server and no widget.
 */

import type { BlockNode } from '../shapes';
import { number } from './counts';

/** The jobs of one run at sites, and their nodes as far as they have some. */
export interface Block {
  readonly name: string;
  readonly site: string;
  readonly job: string;
  readonly standing: string;
}

/** Returns the blocks that nodes are of, in the order in which they come. */
export function blocksOf(nodes: readonly BlockNode[]): Block[] {
  const rows = new Map<string, BlockNode[]>();
  for (const node of nodes) {
    const name = `${node.site} ${node.block}`;
    rows.set(name, [...(rows.get(name) ?? []), node]);
  }
  return [...rows].flatMap(([name, [first, ...rest]]) =>
    first === undefined ? [] : [{ name, site: first.site, job: first.job, standing: standing([first, ...rest]) }]
  );
}

/** Returns how a block stands: `pending (Priority)`, `active · 2 nodes · 5 of 8 workers busy`. */
function standing(nodes: readonly [BlockNode, ...BlockNode[]]): string {
  const [{ stage, reason, node }] = nodes;
  const words = reason === '' ? stage : `${stage} (${reason})`;
  if (node === '') {
    return words;
  }
  const sum = (of: (one: BlockNode) => number): string => number(nodes.reduce((all, one) => all + of(one), 0));
  const count = `${number(nodes.length)} ${nodes.length === 1 ? 'node' : 'nodes'}`;
  return `${words} · ${count} · ${sum(one => one.busy)} of ${sum(one => one.slots)} workers busy`;
}
