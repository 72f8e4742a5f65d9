/** Owns the small note beside the pointer: what a mark is, how it stands, how long it ran. */

import { inWords } from './duration.js';
import { element, stateIcon } from './dom.js';

const MOST_TEXT = 90;

export class Tooltip {
  constructor(store) {
    this.store = store;
    this.root = element('div', 'nbflow-tooltip');
    this.root.setAttribute('role', 'tooltip');
    this.root.hidden = true;
  }

  hide() {
    this.root.hidden = true;
  }

  /** Shows the note for a mark near a pixel of a view of a size. */
  show(mark, x, y, width, height) {
    const title = this.store.title(mark);
    const text = title.length > MOST_TEXT ? `${title.slice(0, MOST_TEXT)}…` : title;
    this.root.replaceChildren(element('code', '', text), this.standing(mark));
    this.root.hidden = false;
    const { offsetWidth, offsetHeight } = this.root;
    this.root.style.left = `${Math.max(4, Math.min(x + 14, width - offsetWidth - 4))}px`;
    this.root.style.top = `${y + 18 + offsetHeight > height ? Math.max(4, y - offsetHeight - 12) : y + 18}px`;
  }

  standing(mark) {
    const { store } = this;
    const line = element('div', 'nbflow-standing');
    const counts = store.countsOf(mark);
    for (const state of store.order.filter(one => counts[one] > 0)) {
      const look = store.looks[state];
      const count = store.task[mark] ? '' : `${counts[state].toLocaleString()} `;
      line.append(stateIcon(look), element('span', '', count + look.word));
    }
    const seconds = store.task[mark] ? store.runTime(mark) : null;
    if (seconds !== null) {
      line.append(element('span', 'nbflow-muted', inWords(seconds)));
    }
    if (store.task[mark] > 0) {
      line.append(element('span', 'nbflow-muted', `#${store.task[mark]}`));
    }
    return line;
  }
}
