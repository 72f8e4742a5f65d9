/** Owns the look inside a failure: each frame with its lines and variables, as its record kept them. */

import { button, element, facts } from './dom.js';

/** Makes the parts of the panel; `act` has `back()`, and `debug()` where a cell can be added to the notebook. */
export function inside({ where, frames }, act) {
  const debug = act.debug && button('nbflow-button', 'Debugger in a new cell', 'Add a cell that opens the debugger here', act.debug);
  const back = button('nbflow-button nbflow-quiet', 'Back', 'Back to the task', act.back);
  return [
    element('div', 'nbflow-actions', debug ?? null, back),
    ...frames.map((frame, place) => framePart(frame, place === 0)),
    element('p', 'nbflow-muted', `on ${where}`)
  ];
}

function framePart({ title, lines, marked, variables }, isFirst) {
  const part = element('details', 'nbflow-frame', element('summary', '', title), code(lines, marked));
  part.open = isFirst;
  if (variables.length) {
    part.append(facts(variables.map(([name, text]) => [name, element('code', '', text)])));
  }
  return part;
}

function code(lines, marked) {
  const rows = lines.map(([number, text]) => {
    const row = element('span', number === marked ? 'nbflow-marked' : '', `${String(number).padStart(4)}  ${text}\n`);
    if (number === marked) {
      row.setAttribute('aria-current', 'true');
    }
    return row;
  });
  return rows.length ? element('pre', '', ...rows) : element('p', 'nbflow-muted', `line ${marked}`);
}
