/** Owns the row of tabs; with a single tab there is none. */

import { element } from './dom.js';

export class Tabs {
  constructor(names, onChoose) {
    this.names = names;
    this.buttons = new Map();
    this.root = element('div', 'nbflow-tabs');
    this.root.setAttribute('role', 'tablist');
    this.root.hidden = names.length < 2;
    for (const name of names) {
      const tab = element('button', 'nbflow-tab', name[0].toUpperCase() + name.slice(1));
      tab.type = 'button';
      tab.setAttribute('role', 'tab');
      tab.addEventListener('click', () => onChoose(name));
      tab.addEventListener('keydown', event => this.key(event, name));
      this.buttons.set(name, tab);
      this.root.append(tab);
    }
  }

  /** Marks the chosen tab. */
  mark(chosen) {
    for (const [name, tab] of this.buttons) {
      tab.setAttribute('aria-selected', String(name === chosen));
      tab.tabIndex = name === chosen ? 0 : -1;
    }
  }

  /** Writes a number beside a tab's name; none for 0. */
  count(name, number) {
    const tab = this.buttons.get(name);
    if (tab && tab.dataset.count !== String(number)) {
      tab.dataset.count = String(number);
      tab.querySelector('span')?.remove();
      if (number) {
        tab.append(element('span', 'nbflow-tab-count', number.toLocaleString()));
      }
    }
  }

  key(event, name) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) {
      event.preventDefault();
      event.stopPropagation();
      const next = this.names[(this.names.indexOf(name) + step + this.names.length) % this.names.length];
      this.buttons.get(next).click();
      this.buttons.get(next).focus();
    }
  }
}
