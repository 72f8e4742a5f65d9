/** Owns the whole view of a run: header, tabs, the pane of the chosen tab, the panel about one task. */

import { element } from './dom.js';
import { Drawer } from './drawer.js';
import { Graph } from './graph.js';
import { Header } from './header.js';
import { Link } from './link.js';
import { Sheet } from './sheet.js';
import { Store } from './store.js';
import { Tabs } from './tabs.js';

const OPEN_MILLISECONDS = 250;
const SILENCE = 'No answer from the kernel yet. It may be busy, or gone.';

class WatchView {
  constructor(model, store) {
    this.store = store;
    this.link = new Link(model, { onSilence: () => this.say(SILENCE), onLost: () => this.lose() });
    this.header = new Header(store.looks, store.order, {
      onState: state => this.nextIn(state),
      onRetryAll: () => this.link.send({ kind: 'retry', tasks: null })
    });
    this.drawer = new Drawer(this);
    this.tabs = new Tabs(model.get('tabs'), name => this.choose(name));
    this.sheet = new Sheet(this);
    this.word = element('p', 'nbflow-word');
    this.word.setAttribute('role', 'status');
    this.graph = new Graph(this);
    this.stage = element('div', 'nbflow-stage', this.graph.root, this.sheet.root, this.drawer.root);
    this.root = element('div', 'nbflow-view nbflow-graph', this.header.root, this.tabs.root, this.stage, this.word);
    this.root.dataset.lmSuppressShortcuts = 'true'; // the keys belong to the view, not to the notebook
    this.root.nbflow = this.graph;
    const listener = isNew => this.update(isNew);
    store.listeners.add(listener);
    this.unlisten = () => store.listeners.delete(listener);
    this.choose(model.get('tabs')[0]);
  }

  /** Shows a tab: the graph is drawn here, the others are told by the kernel while they are looked at. */
  choose(name) {
    this.tab = name;
    this.tabs.mark(name);
    this.root.dataset.tab = name;
    this.graph.root.hidden = name !== 'graph';
    this.sheet.root.hidden = name === 'graph';
    this.sheet.open(name);
    this.graph.repaint();
  }

  /** Takes over what the store has learnt. */
  update(isNew) {
    const { store, root } = this;
    if (store.head) {
      this.header.show(store.head);
      this.tabs.count('failures', store.head.failed);
      Object.assign(root.dataset, {
        done: store.head.counts[store.looks.findIndex(look => look.word === 'done')],
        failed: store.head.failed,
        total: store.head.total,
        marks: store.count,
        folded: store.isFolded,
        past: store.past ? store.past.seconds.toFixed(3) : ''
      });
    }
    this.graph.update(isNew);
    this.drawer.refresh();
  }

  /** Chooses a mark of the graph and opens the panel about it; -1 closes the panel. */
  open(mark) {
    this.graph.select(mark);
    if (mark < 0) {
      this.drawer.close();
    } else {
      this.drawer.ask({ task: this.store.task[mark], app: this.store.app[mark] });
    }
  }

  /** Tells about a task that a panel names; its mark is chosen if it has one. */
  goTo(task, app) {
    const mark = this.store.markOf({ task, app });
    if (mark !== undefined) {
      this.graph.select(mark);
    }
    this.drawer.ask({ task, app });
  }

  nextIn(state) {
    this.choose('graph');
    this.graph.nextIn(state);
  }

  /** Closes the panel; without one, chooses nothing. */
  back() {
    if (!this.drawer.isOpen) {
      this.graph.select(-1);
    }
    this.drawer.close();
    this.graph.canvas.focus({ preventScroll: true });
    this.graph.repaint();
  }

  /** Stays as the last known state: no kernel stands behind the view any more. */
  lose() {
    this.store.isLost = true;
    this.root.classList.add('nbflow-lost');
    this.header.lose();
    this.graph.repaint();
  }

  say(text, isError = false) {
    this.word.textContent = text;
    this.word.classList.toggle('nbflow-error', isError);
  }

  /** Takes a message of the kernel that is not about the graph itself. */
  answer(content) {
    if (content.kind === 'frame') {
      return;
    }
    this.graph.repaint();
    this.link.heard();
    if (content.kind === 'told') {
      this.say(content.text, content.is_error);
    } else if (content.kind === 'pane') {
      this.sheet.show(content);
    } else if (content.kind === 'critical') {
      this.graph.finder.showPath(content);
    } else {
      this.drawer.answer(content);
    }
  }

  close() {
    this.unlisten();
    this.graph.close();
    this.sheet.close();
    this.drawer.end();
    this.link.close();
  }
}

/** Makes the widget of one model; its views share one store. */
export default () => {
  let store;
  return {
    initialize({ model }) {
      store = new Store(model.get('looks'), model.get('order'));
      model.on('msg:custom', (content, buffers) => {
        if (content.kind === 'frame' && !store.take(content, buffers)) {
          model.send({ kind: 'open' });
        }
      });
    },

    render({ model, el }) {
      const view = new WatchView(model, store);
      const answer = content => view.answer(content);
      model.on('msg:custom', answer);
      el.append(view.root);
      view.update(false);
      // A little later JupyterLab has a way to the kernel that a busy cell does not block.
      let opening = setTimeout(() => {
        opening = null;
        view.link.post({ kind: 'open' });
        view.sheet.ask();
      }, OPEN_MILLISECONDS);
      return () => {
        view.close();
        model.off('msg:custom', answer);
        if (opening === null) {
          view.link.post({ kind: 'close' });
        }
        clearTimeout(opening);
      };
    }
  };
};
