/** Owns the pane of every tab but the graph: the kernel says what is in it, at most once a second. */

import { Chart } from './chart.js';
import { element } from './dom.js';
import { showFailures } from './failures.js';
import { Results } from './results.js';

const RESIZE_MILLISECONDS = 200;
const CHARTS = ['progress', 'timeline', 'resources'];

export class Sheet {
  /** `view` has `link`, `store`, `goTo(task, app)`. */
  constructor(view) {
    this.view = view;
    this.name = 'graph';
    this.app = null;
    this.root = element('div', 'nbflow-pane nbflow-sheet-pane');
    this.root.setAttribute('role', 'tabpanel');
    this.chart = new Chart(options => this.ask(options));
    this.results = new Results(view);
    this.observer = new ResizeObserver(() => {
      clearTimeout(this.resizing);
      this.resizing = setTimeout(() => this.root.clientWidth !== this.width && this.ask(), RESIZE_MILLISECONDS);
    });
    this.observer.observe(this.root);
  }

  /** Turns to a tab. */
  open(name) {
    this.name = name;
    this.root.replaceChildren();
    this.chart.reset();
    this.ask();
  }

  /** Asks the kernel for the pane, and to be told of it from now on; for the graph, of nothing but the graph. */
  ask(options = {}) {
    this.width = this.root.clientWidth;
    if (this.name === 'graph' || this.width) {
      this.app = options.app ?? this.app; // whose results are looked at
      const wanted = { app: this.app, ...(CHARTS.includes(this.name) ? this.chart.options : {}), ...options };
      this.view.link.post({ kind: 'pane', name: this.name, width: this.width, ...wanted });
    }
  }

  /** Shows what the kernel told of the pane. */
  show(content) {
    if (content.name !== this.name) {
      return;
    }
    this.root.dataset.told = String(Number(this.root.dataset.told ?? 0) + 1);
    if (CHARTS.includes(content.name)) {
      this.chart.show(content, this.root);
    } else if (content.name === 'failures') {
      showFailures(content, this.root, this.view);
    } else {
      this.results.show(content, this.root);
    }
    if (content.task) {
      this.view.goTo(content.task, content.app);
    }
  }

  close() {
    this.observer.disconnect();
    clearTimeout(this.resizing);
  }
}
