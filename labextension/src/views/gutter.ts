/**
 * Owns the marks beside a notebook's cells: how the tasks of each stand, and whether it was edited since.
 */

import type { DocumentRegistry, IDocumentWidget } from '@jupyterlab/docregistry';
import type { Widget } from '@lumino/widgets';

import type { Api } from '../api';
import type { Mark } from '../models/marks';
import { markOf } from '../models/marks';
import type { RunsModel } from '../models/runs';
import type { CellTasks, Run } from '../shapes';

const EDIT_MILLISECONDS = 400;

/** As much of a notebook's cell as is needed here: its package would be a large one to build against. */
interface Cell extends Widget {
  readonly model: { readonly id: string; readonly sharedModel: { getSource(): string } };
}

type NotebookPanel = IDocumentWidget<Widget & { readonly widgets?: readonly Cell[] }>;

/** Whether marks are shown: a setting that may change at any time. */
export interface MarkSettings {
  cellMarks: boolean;
}

/** Gives each notebook that is opened its marks. */
export class CellMarks implements DocumentRegistry.IWidgetExtension<NotebookPanel, DocumentRegistry.IModel> {
  constructor(
    private readonly api: Api,
    private readonly runs: RunsModel,
    private readonly settings: MarkSettings,
    private readonly open: (run: string) => void
  ) {}

  createNew(panel: NotebookPanel, context: DocumentRegistry.Context): { isDisposed: boolean; dispose(): void } {
    let timer = 0;
    let isStopped = false;
    let cells: Map<string, CellTasks & { run: string }> = new Map();
    const draw = (): void => {
      for (const cell of panel.content.widgets ?? []) {
        void this.draw(cell, this.settings.cellMarks ? cells.get(cell.model.id) : undefined);
      }
    };
    const ask = async (): Promise<void> => {
      const run = this.settings.cellMarks ? this.runs.ofNotebook(context.path) : undefined;
      cells = run === undefined ? new Map() : await this.lastOfEach(run).catch(() => cells); // the panel tells why
      if (!isStopped) {
        draw();
      }
    };
    const onRuns = (): void => void ask();
    const onEdit = (): void => {
      window.clearTimeout(timer);
      timer = window.setTimeout(draw, EDIT_MILLISECONDS);
    };
    this.runs.changed.connect(onRuns);
    context.model.contentChanged.connect(onEdit);
    void context.ready.then(ask);
    return {
      get isDisposed() {
        return isStopped;
      },
      dispose: () => {
        isStopped = true;
        window.clearTimeout(timer);
        this.runs.changed.disconnect(onRuns);
        context.model.contentChanged.disconnect(onEdit);
      }
    };
  }

  /** The last execution of each cell counts. */
  private async lastOfEach({ run }: Run): Promise<Map<string, CellTasks & { run: string }>> {
    const cells = await this.api.cells(run);
    return new Map(cells.map(cell => [cell.cell_id ?? '', { ...cell, run }]));
  }

  private async draw(cell: Cell, tasks: (CellTasks & { run: string }) | undefined): Promise<void> {
    const mark = tasks === undefined ? null : await markOf(tasks, cell.model.sharedModel.getSource());
    const old = cell.node.querySelector<HTMLButtonElement>(':scope > .nbflow-lab-mark');
    if (mark === null || tasks === undefined) {
      old?.remove();
      return;
    }
    const button = old ?? document.createElement('button');
    show(button, mark);
    button.onclick = () => { this.open(tasks.run); };
    if (old === null) {
      cell.node.append(button);
    }
  }
}

function show(button: HTMLButtonElement, mark: Mark): void {
  button.type = 'button';
  button.className = 'nbflow-lab-mark';
  button.dataset['look'] = mark.look;
  button.dataset['stale'] = String(mark.isStale);
  button.title = mark.label;
  button.setAttribute('aria-label', mark.label);
  button.textContent = mark.isStale ? `${mark.text} ✎` : mark.text;
}
