/**
 * Owns the still picture of a run: its report, in a frame that runs no script and has the colours of the theme.
 */

import * as React from 'react';

import type { Part } from './part';
import { useAnswer } from './part';

const THEME = [
  ...['layout-color0', 'layout-color1', 'layout-color2', 'ui-font-color1', 'ui-font-color2', 'ui-font-color3'],
  ...['border-color1', 'border-color2', 'brand-color1', 'error-color1', 'warn-color1']
].map(name => `--jp-${name}`);

/** The view around the page has its own head, and its own ground. */
const FITTING = 'h1, h1 + p { display: none; } main { padding: 0; } body { background: var(--jp-layout-color1); }';

export function Report({ api, run }: Part): JSX.Element {
  const { value, problem } = useAnswer(run, id => api.report(id));
  if (problem !== '' && value === null) {
    return <p className="nbflow-lab-problem">{problem}</p>;
  }
  if (value === null) {
    return <p className="nbflow-lab-empty">Drawing …</p>;
  }
  return <iframe className="nbflow-lab-report" sandbox="" title={`Report of ${run.run}`} srcDoc={themed(value)} />;
}

/** Gives a page the colours that JupyterLab has now: a frame inherits none. */
function themed(page: string): string {
  const colours = getComputedStyle(document.body);
  const isLight = document.body.dataset['jpThemeLight'] !== 'false';
  const values = THEME.map(name => `${name}: ${colours.getPropertyValue(name)};`).join(' ');
  const style = `<style>:root { color-scheme: ${isLight ? 'light' : 'dark'}; ${values} } ${FITTING}</style>`;
  return page.replace('</head>', `${style}</head>`);
}
