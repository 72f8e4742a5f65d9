/** Owns the line over the graph: how many are done, how fast, until when; each state with icon, word and number. */

import { button, element, stateIcon } from './dom.js';

const LOST = 'The Jupyter kernel of this view is gone: this is what it knew last. Run the cell again for a live view.';

export class Header {
  /** `order` lists the states as people read them; `onState` is called when a person asks for tasks in one. */
  constructor(looks, order, { onState = null, onRetryAll = null } = {}) {
    this.looks = looks;
    this.order = order;
    this.number = element('strong', '');
    this.total = element('span', 'nbflow-muted');
    this.pace = element('span', 'nbflow-pace nbflow-muted');
    this.legend = element('ul', 'nbflow-legend');
    this.bar = element('div', 'nbflow-bar');
    this.bar.setAttribute('role', 'progressbar');
    this.bar.setAttribute('aria-label', 'finished tasks');
    this.retry = button('nbflow-button nbflow-retry-all', '', 'Run all failed tasks again', () => onRetryAll());
    this.retry.hidden = true;
    this.chips = new Map();
    this.segments = new Map();
    order.forEach(state => this.addState(state, onState));
    const numbers = element('div', 'nbflow-numbers', this.number, this.total);
    this.note = element('p', 'nbflow-note nbflow-muted', LOST);
    this.note.hidden = true;
    this.root = element(
      'header',
      'nbflow-head',
      element('div', 'nbflow-line', numbers, this.pace),
      this.bar,
      element('div', 'nbflow-line', this.legend, onRetryAll ? this.retry : null),
      this.note
    );
  }

  addState(state, onState) {
    const look = this.looks[state];
    const count = element('span', 'nbflow-count');
    const parts = [stateIcon(look), element('span', '', look.word), count];
    const chip = element('li', '');
    if (onState) {
      const title = `Go to the next ${look.word} task`;
      const made = button('nbflow-chip', '', title, () => onState(state));
      made.removeAttribute('aria-label');
      made.append(...parts);
      chip.append(made);
    } else {
      chip.append(element('span', 'nbflow-chip', ...parts));
    }
    chip.hidden = true;
    this.legend.append(chip);
    const segment = element('i', look.is_solid ? '' : 'nbflow-pending');
    segment.style.background = look.css;
    this.bar.append(segment);
    this.chips.set(state, { chip, count });
    this.segments.set(state, segment);
  }

  /** Says that no news will come, and takes away what would have to ask for some. */
  lose() {
    this.pace.textContent = '';
    this.retry.hidden = true;
    this.note.hidden = false;
  }

  /** Shows the numbers of now. */
  show({ counts, total, finished, pace, failed }) {
    const done = counts[this.looks.findIndex(look => look.word === 'done')];
    this.number.textContent = done.toLocaleString();
    this.total.textContent = total === 1 ? ' of 1 task done' : ` of ${total.toLocaleString()} tasks done`;
    this.pace.textContent = pace.text;
    this.pace.title = pace.hint;
    this.bar.setAttribute('aria-valuemax', String(total));
    this.bar.setAttribute('aria-valuenow', String(finished));
    for (const state of this.order) {
      const { chip, count } = this.chips.get(state);
      chip.hidden = counts[state] === 0;
      count.textContent = counts[state].toLocaleString();
      this.segments.get(state).style.width = `${(100 * counts[state]) / Math.max(1, total)}%`;
    }
    this.retry.hidden = failed === 0;
    this.retry.textContent = failed === 1 ? 'Retry 1 failed' : `Retry all ${failed.toLocaleString()} failed`;
  }
}
