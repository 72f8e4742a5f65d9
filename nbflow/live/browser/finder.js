/** Owns the search over the graph, which fades all that it does not find, and the critical path. */

import { button, element } from './dom.js';
import { inWords } from './duration.js';

const HINT = 'Words of a call; is:failed, app:train, in:[3] for state, app and cell. Enter goes to the next one.';

export class Finder {
  /** `graph` has `store`, `painter`, `view`, `canvas`, `repaint()` and `open(mark)`. */
  constructor(graph) {
    this.graph = graph;
    this.terms = [];
    this.path = null; // [task, app] of each task of the critical path, while it is shown
    this.input = element('input', 'nbflow-search');
    this.input.type = 'search';
    this.input.placeholder = 'Find: name, is:failed, app:…';
    this.input.title = HINT;
    this.input.setAttribute('aria-label', `Find tasks. ${HINT}`);
    this.input.addEventListener('input', () => this.search());
    this.input.addEventListener('keydown', event => this.key(event));
    this.count = element('span', 'nbflow-muted nbflow-found');
    this.count.setAttribute('role', 'status');
    this.root = element('div', 'nbflow-finder', this.input, this.count);
    this.pathButton = button('nbflow-tool', '⇝', 'Show the critical path', () => this.togglePath());
    this.pathButton.setAttribute('aria-pressed', 'false');
  }

  focus() {
    this.input.focus();
    this.input.select();
  }

  /** Takes over what the store has learnt: a mark may be found now, or be another one. */
  update(isNew) {
    if (isNew && this.path) {
      this.tracePath();
    }
    if (this.terms.length) {
      this.match();
    }
  }

  search() {
    this.terms = this.input.value.toLowerCase().split(/\s+/).filter(Boolean).map(parsed);
    this.match();
    this.graph.repaint();
  }

  match() {
    const { store, painter } = this.graph;
    this.found = [];
    if (this.terms.length) {
      const isFound = new Uint8Array(store.count);
      for (let mark = 0; mark < store.count; mark++) {
        if (this.terms.every(term => this.fits(mark, term))) {
          isFound[mark] = 1;
          this.found.push(mark);
        }
      }
      painter.isFaded = mark => !isFound[mark];
      this.count.textContent = `${this.found.length.toLocaleString()} of ${store.count.toLocaleString()}`;
    } else {
      painter.isFaded = null;
      this.count.textContent = '';
    }
  }

  fits(mark, { key, text }) {
    const { store } = this.graph;
    switch (key) {
      case 'is':
        return store.countsOf(mark).some((count, state) => count > 0 && store.looks[state].word.startsWith(text));
      case 'app':
        return (store.apps.get(store.app[mark]) ?? '').toLowerCase().includes(text);
      case 'in':
        return store.origins[mark].toLowerCase().replace(/\s/g, '').includes(text);
      default:
        return store.title(mark).toLowerCase().includes(text);
    }
  }

  key(event) {
    event.stopPropagation();
    if (event.key === 'Escape') {
      event.preventDefault();
      this.input.value = '';
      this.search();
      this.graph.canvas.focus({ preventScroll: true });
    } else if (event.key === 'Enter' && this.found?.length) {
      const { selected } = this.graph.painter;
      this.graph.open(this.found.find(mark => mark > selected) ?? this.found[0]);
    }
  }

  togglePath() {
    if (this.path) {
      this.path = null;
      this.tracePath();
      this.graph.view.say('');
    } else {
      this.graph.view.link.send({ kind: 'critical' });
    }
  }

  /** Shows the critical path that the kernel told of. */
  showPath({ tasks, seconds }) {
    this.path = tasks.length ? tasks : null;
    this.tracePath();
    const count = tasks.length === 1 ? '1 task' : `${tasks.length.toLocaleString()} tasks`;
    this.graph.view.say(
      tasks.length ? `Critical path: ${count} that ran ${inWords(seconds)}, one after the other.` : 'No task has run yet.'
    );
  }

  tracePath() {
    const { store, painter } = this.graph;
    const marks = (this.path ?? []).map(([task, app]) => store.markOf({ task, app }));
    painter.path = marks.filter((mark, place) => mark !== undefined && mark !== marks[place - 1]);
    this.pathButton.setAttribute('aria-pressed', String(this.path !== null));
    this.graph.view.root.dataset.path = String(painter.path.length);
    this.graph.repaint();
  }
}

/** Reads a word of a search: a key with a colon, or a text alone. */
function parsed(word) {
  const [, key, text] = /^(is|app|in):(.*)$/.exec(word) ?? [null, null, word];
  return { key, text };
}
