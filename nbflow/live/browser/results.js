/** Owns the table of results: a row for each task, sorted by a click on a column's name. */

import { element, stateIcon } from './dom.js';

const MOST_ROWS = 500;

export class Results {
  constructor(view) {
    this.view = view;
    this.column = null;
    this.isDown = false;
  }

  show(content, root) {
    this.content = content;
    this.root = root;
    const { columns, rows } = content;
    const order = [...rows];
    if (this.column !== null) {
      const sign = this.isDown ? -1 : 1;
      order.sort((a, b) => sign * compared(a.cells[this.column], b.cells[this.column]));
    }
    const head = element('tr', '', element('th', '', ''), ...columns.map((name, index) => this.heading(name, index)));
    const body = element('tbody', '', ...order.slice(0, MOST_ROWS).map(row => this.row(row)));
    const table = element('table', 'nbflow-results', element('thead', '', head), body);
    const more = rows.length > MOST_ROWS ? element('p', 'nbflow-muted', `and ${(rows.length - MOST_ROWS).toLocaleString()} more`) : null;
    const scrolled = root.scrollTop;
    const plot = content.svg ? document.importNode(new window.DOMParser().parseFromString(content.svg, 'image/svg+xml').documentElement, true) : null;
    root.replaceChildren(...[this.apps(content), plot, table, more].filter(part => part !== null));
    root.scrollTop = scrolled;
  }

  /** Lets a person choose among several apps. */
  apps({ app, apps }) {
    if (apps.length < 2) {
      return null;
    }
    const select = element('select', 'nbflow-select', ...apps.map(([number, name, count]) => {
      const option = element('option', '', `${name} (${count.toLocaleString()})`);
      option.value = String(number);
      return option;
    }));
    select.value = String(app);
    select.setAttribute('aria-label', 'App whose results are shown');
    select.addEventListener('change', () => this.view.sheet.ask({ app: Number(select.value) }));
    return select;
  }

  heading(name, index) {
    const isChosen = index === this.column;
    const sort = element('button', 'nbflow-sort', name + (isChosen ? (this.isDown ? ' ▾' : ' ▴') : ''));
    sort.type = 'button';
    sort.addEventListener('click', () => {
      this.isDown = isChosen && !this.isDown;
      this.column = index;
      this.show(this.content, this.root);
    });
    const head = element('th', '', sort);
    head.setAttribute('aria-sort', isChosen ? (this.isDown ? 'descending' : 'ascending') : 'none');
    return head;
  }

  row({ task, state, cells }) {
    const look = this.view.store.looks[state];
    const open = element('button', 'nbflow-link', stateIcon(look));
    open.type = 'button';
    open.title = `${look.word}: open task ${task}`;
    open.addEventListener('click', () => this.view.goTo(task));
    return element('tr', '', element('td', '', open), ...cells.map(value => element('td', typeof value === 'number' ? 'nbflow-number' : '', shown(value))));
  }
}

function shown(value) {
  return value === null ? '' : typeof value === 'number' ? String(Number(value.toPrecision(6))) : String(value);
}

/** Numbers before texts, and what is not there last. */
function compared(a, b) {
  const rank = value => (typeof value === 'number' ? 0 : value === null ? 2 : 1);
  return rank(a) - rank(b) || (typeof a === 'number' ? a - b : String(a).localeCompare(String(b)));
}
