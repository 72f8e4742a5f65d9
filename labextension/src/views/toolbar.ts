/**
 * Owns the button in a notebook's toolbar that opens the notebook's run.
 */

import type { DocumentRegistry, IDocumentWidget } from '@jupyterlab/docregistry';
import { ToolbarButton } from '@jupyterlab/ui-components';

import { nbflowIcon } from './icon';

/** Adds the button to each notebook; `open` is given the notebook's path. */
export class RunButton implements DocumentRegistry.IWidgetExtension<IDocumentWidget, DocumentRegistry.IModel> {
  constructor(private readonly open: (path: string) => void) {}

  createNew(panel: IDocumentWidget, context: DocumentRegistry.Context): ToolbarButton {
    const button = new ToolbarButton({
      icon: nbflowIcon,
      tooltip: "Show this notebook's nbflow run",
      onClick: () => { this.open(context.path); }
    });
    panel.toolbar.insertItem(10, 'nbflow', button);
    return button;
  }
}
