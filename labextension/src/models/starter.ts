/**
 * Owns the first lines that a newcomer runs, as text and as a notebook; knows no server and no widget.
 */

import type { ICell, INotebookContent } from '@jupyterlab/nbformat';

/** A whole small flow: runs as it stands, and shows where to put one's own code. */
export const STARTER_CELL = `import nbflow as nf

nf.load()  # this machine; calling it again is fine


@nf.python_app
def square(x: int) -> int:
    return x * x


futures = square.map(range(10))
nf.watch(futures)
nf.gather(futures)`;

const TITLE = `# A flow

Calling an app returns a future at once; the work runs in parallel. Passing a future to another app makes a graph.`;

/** Returns a notebook with the starter cell for the given kernel. */
export function starterNotebook(kernel: { name: string; display_name: string }): INotebookContent {
  return {
    metadata: { kernelspec: { ...kernel, language: 'python' } },
    nbformat: 4,
    nbformat_minor: 5,
    cells: [
      cell('title', { cell_type: 'markdown', source: TITLE }),
      cell('starter', { cell_type: 'code', source: STARTER_CELL, outputs: [], execution_count: null })
    ]
  };
}

function cell(id: string, fields: Pick<ICell, 'cell_type' | 'source'> & Record<string, unknown>): ICell {
  return { ...fields, id, metadata: {} };
}
