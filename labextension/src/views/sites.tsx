/**
 * Owns pilots at sites as a person sees and steers them: listed, stopped, started for a notebook.
 */

import * as React from 'react';

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ICommandPalette } from '@jupyterlab/apputils';
import { InputDialog } from '@jupyterlab/apputils';
import type { DocumentRegistry, IDocumentWidget } from '@jupyterlab/docregistry';
import type { Widget } from '@lumino/widgets';

import type { RunsModel } from '../models/runs';
import type { Session } from '../shapes';
import { attempt } from './attempt';

const START = 'nbflow:start-pilots';

/** The pilots of each notebook at each site; those that no kernel uses can be stopped. */
export function Sites({ runs }: { runs: RunsModel }): JSX.Element | null {
  if (runs.sessions.length === 0) {
    return null;
  }
  return (
    <section aria-label="Sites">
      <h3>Sites</h3>
      <ul className="nbflow-lab-runs">
        {runs.sessions.map(session => (
          <li key={session.name} className="nbflow-lab-run nbflow-lab-session" title={session.notebook}>
            <span className="nbflow-lab-run-title">{session.site}</span>
            <span className="nbflow-lab-run-standing">{session.state}</span>
            <span className="nbflow-lab-muted nbflow-lab-run-line">
              {`${counted(session.pilots, 'pilot')} in ${counted(session.blocks, 'block')}, for ${nameOf(session)}`}
            </span>
            {session.until !== null && (
              <button
                type="button"
                className="nbflow-lab-button"
                onClick={() => void attempt('The pilots go on', () => runs.stopSession(session))}
              >
                Stop
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Adds the command that asks for pilots before the open notebook's kernel does. */
export function addSites(app: JupyterFrontEnd, runs: RunsModel, palette: ICommandPalette | null): void {
  const notebook = (): string | undefined => pathOf(app.shell.currentWidget);
  app.commands.addCommand(START, {
    label: 'Start Pilots for This Notebook…',
    caption: 'Jobs at a site that the next kernel of this notebook takes over',
    isEnabled: () => notebook() !== undefined,
    execute: () =>
      attempt('No pilots', async () => {
        const path = notebook();
        const chosen = await InputDialog.getItem({ title: 'Pilots at which site?', items: await runs.sites() });
        if (path !== undefined && chosen.value !== null) {
          await runs.startSession(chosen.value, path);
        }
      })
  });
  palette?.addItem({ command: START, category: 'nbflow' });
}

/** The path of the document that a widget shows; undefined for what shows none. */
function pathOf(widget: Widget | null): string | undefined {
  const { context } = (widget ?? {}) as Partial<IDocumentWidget<Widget, DocumentRegistry.IModel>>;
  return context?.path;
}

function counted(many: number, what: string): string {
  return `${String(many)} ${what}${many === 1 ? '' : 's'}`;
}

function nameOf({ notebook }: Session): string {
  return notebook.slice(notebook.lastIndexOf('/') + 1);
}
