/** Owns the graph view: it joins header, canvas and panel, and talks with the kernel. */

import { Camera } from './camera.js';
import { Details } from './details.js';
import { button, element } from './dom.js';
import { Hands } from './hands.js';
import { Header } from './header.js';
import { watchKernel } from './kernel.js';
import { Painter } from './painter.js';
import { Store } from './store.js';
import { readTheme, wantsStillness, watchTheme } from './theme.js';
import { Tooltip } from './tooltip.js';

const REST_MILLISECONDS = 140;
const OPEN_MILLISECONDS = 250;
const MOST_GLIDERS = 3000;
const APPROACH = 0.22;
const PATIENCE_MILLISECONDS = 5000;

class GraphView {
  constructor(model, store) {
    this.model = model;
    this.store = store;
    this.camera = new Camera();
    this.canvas = element('canvas', 'nbflow-canvas');
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute('role', 'application');
    this.canvas.setAttribute('aria-label', 'Task graph. Arrow keys go along edges, Enter opens, F finds failures.');
    this.painter = new Painter(this.canvas, store, this.camera);
    this.tooltip = new Tooltip(store);
    this.details = new Details(store.looks, {
      retry: tasks => this.retry(tasks),
      show: (task, app) => this.showTask(task, app),
      toggle: app => this.send({ kind: 'toggle', app }),
      close: () => this.back()
    });
    // What came while a button was held down was put off, for its click.
    this.details.root.addEventListener('pointerup', () => setTimeout(() => this.refreshDetails()));
    this.header = new Header(store.looks, store.order, {
      onState: state => this.nextIn(state),
      onRetryAll: () => this.retry(null)
    });
    this.word = element('p', 'nbflow-word');
    this.word.setAttribute('role', 'status');
    this.root = this.build();
    this.frame = 0;
    this.lastMove = 0;
    this.frames = 0;
    this.subject = null; // what the panel is about: { task, app, seenIn }; task 0 is all of the app
    this.hands = new Hands(this);
    this.ends = [
      watchTheme(() => this.dress()),
      this.watchSize(),
      this.listen(this.store.listeners, isNew => this.update(isNew))
    ];
  }

  build() {
    const tools = element(
      'div',
      'nbflow-tools',
      button('nbflow-tool', '−', 'Zoom out (-)', () => this.zoom(1 / 1.3)),
      button('nbflow-tool', '+', 'Zoom in (+)', () => this.zoom(1.3)),
      button('nbflow-tool', '⤢', 'Fit the whole graph (0)', () => this.fit())
    );
    this.stage = element('div', 'nbflow-stage', this.canvas, tools, this.tooltip.root, this.details.root);
    const root = element('div', 'nbflow-view nbflow-graph', this.header.root, this.stage, this.word);
    root.dataset.lmSuppressShortcuts = 'true'; // the keys belong to the graph, not to the notebook
    root.nbflow = this;
    return root;
  }

  listen(listeners, listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  watchSize() {
    const observer = new ResizeObserver(() => {
      const { clientWidth, clientHeight } = this.stage;
      if (!clientWidth || !clientHeight) {
        return;
      }
      const ratio = window.devicePixelRatio || 1;
      this.canvas.width = Math.round(clientWidth * ratio);
      this.canvas.height = Math.round(clientHeight * ratio);
      this.camera.resize(clientWidth, clientHeight);
      this.dress();
    });
    observer.observe(this.stage);
    return () => observer.disconnect();
  }

  dress() {
    this.painter.theme = readTheme(this.root, this.store.looks);
    this.repaint();
  }

  /** Takes over what the store has learnt. */
  update(isNew) {
    const { store, painter, root } = this;
    if (isNew) {
      painter.hovered = -1;
      painter.selected = (this.subject && store.markOf(this.subject)) ?? -1;
      this.tooltip.hide();
    }
    if (store.head) {
      this.header.show(store.head);
      Object.assign(root.dataset, {
        done: store.head.counts[store.looks.findIndex(look => look.word === 'done')],
        failed: store.head.failed,
        total: store.head.total,
        marks: store.count,
        folded: store.isFolded
      });
    }
    this.refreshDetails();
    this.repaint();
  }

  /** Asks again for what the panel shows when anything happened to it since: a retry may end in the same state. */
  refreshDetails() {
    const { store, subject } = this;
    const mark = subject && store.markOf(subject);
    if (mark !== null && mark !== undefined && store.changedIn[mark] !== subject.seenIn) {
      this.ask(subject);
    }
  }

  /** Asks the kernel about a task, or about an app when the task is 0. */
  ask({ task, app }) {
    const { store } = this;
    this.subject = { task, app, seenIn: store.changedIn[store.markOf({ task, app })] };
    this.send(task ? { kind: 'story', task } : { kind: 'card', app });
  }

  repaint() {
    if (!this.frame) {
      this.frame = requestAnimationFrame(now => this.paint(now));
    }
  }

  paint(now) {
    this.frame = 0;
    const { store, camera, painter } = this;
    if (!this.root.isConnected || !painter.theme || camera.width <= 1) {
      return;
    }
    const isStill = wantsStillness();
    const isGliding = store.glide(now, isStill || store.count > MOST_GLIDERS);
    camera.inset = this.coveredWidth();
    if (camera.isFitted && store.bounds) {
      camera.overhang = painter.captions.overhang(painter, camera.fitting(store.bounds).scale);
    }
    const isFitting = camera.isFitted && store.bounds && camera.approach(store.bounds, this.pace(isStill));
    const isMoving = isGliding || isFitting || now - this.lastMove < REST_MILLISECONDS;
    const spins = painter.paint(now, isMoving) && !isStill;
    this.root.dataset.frames = String(++this.frames);
    if (isMoving || spins) {
      this.repaint();
    }
  }

  /** The first picture stands where it belongs; later ones move there. */
  pace(isStill) {
    const isFirst = this.frames === 0 || this.store.count > MOST_GLIDERS;
    return isStill || isFirst ? 1 : APPROACH;
  }

  /** The panel covers the graph's right side, unless there is too little beside it. */
  coveredWidth() {
    const { offsetWidth, hidden } = this.details.root;
    return hidden || this.camera.width < 1.6 * offsetWidth ? 0 : offsetWidth;
  }

  moved() {
    this.lastMove = performance.now();
    this.repaint();
  }

  zoom(factor) {
    this.camera.zoom(factor, this.store.bounds);
    this.moved();
  }

  fit() {
    this.camera.isFitted = true;
    this.repaint();
  }

  hover(mark, x = 0, y = 0) {
    if (mark !== this.painter.hovered) {
      this.painter.hovered = mark;
      this.canvas.classList.toggle('nbflow-over', mark >= 0);
      this.repaint();
    }
    if (mark < 0) {
      this.tooltip.hide();
    } else {
      this.tooltip.show(mark, x, y, this.camera.width, this.camera.height);
    }
  }

  /** Chooses a mark, brings it into view and says what it is. */
  select(mark) {
    const { painter, store, camera } = this;
    painter.selected = mark;
    if (mark >= 0) {
      camera.reveal(store.goal[2 * mark], store.goal[2 * mark + 1]);
      const standing = store.task[mark] ? store.looks[store.state[mark]].word : 'an app, folded';
      this.say(`${store.title(mark)}, ${standing}`);
    }
    this.moved();
  }

  /** Chooses a mark and opens the panel about it; -1 closes the panel. */
  open(mark) {
    this.tooltip.hide();
    this.select(mark);
    if (mark < 0) {
      this.closeDetails();
    } else {
      this.ask({ task: this.store.task[mark], app: this.store.app[mark] });
    }
  }

  /** Closes the panel; without one, chooses nothing. */
  back() {
    if (this.details.root.hidden) {
      this.select(-1);
    }
    this.closeDetails();
    this.canvas.focus({ preventScroll: true });
    this.repaint();
  }

  closeDetails() {
    this.subject = null;
    this.details.close();
  }

  /** Tells about a task that the panel names; its mark is chosen if it has one. */
  showTask(task, app) {
    const mark = this.store.markOf({ task, app });
    if (mark !== undefined) {
      this.select(mark);
    }
    this.ask({ task, app });
  }

  /** Goes to the next mark in a state. */
  nextIn(state) {
    const { store, painter } = this;
    for (let step = 1; step <= store.count; step++) {
      const mark = (Math.max(0, painter.selected) + step) % store.count;
      if (store.countsOf(mark)[state] > 0) {
        this.open(mark);
        return;
      }
    }
  }

  retry(tasks) {
    this.send({ kind: 'retry', tasks });
  }

  /** Asks the kernel for an answer, and says so when none comes. */
  send(question) {
    if (!this.post(question)) {
      return;
    }
    clearTimeout(this.patience);
    const complain = () => this.say('No answer from the kernel yet. It may be busy, or gone.');
    this.patience = setTimeout(complain, PATIENCE_MILLISECONDS);
  }

  /** Sends a message to the kernel; false when there is no way to it any more. */
  post(message) {
    try {
      this.model.send(message);
      return true;
    } catch {
      this.lose();
      return false;
    }
  }

  /** Stays as the last known state: no kernel stands behind the view any more. */
  lose() {
    this.store.isLost = true;
    this.root.classList.add('nbflow-lost');
    this.header.lose();
    this.repaint();
  }

  say(text, isError = false) {
    this.word.textContent = text;
    this.word.classList.toggle('nbflow-error', isError);
  }

  /** Takes a message that is not about the graph itself. */
  answer(content) {
    if (content.kind === 'frame') {
      return;
    }
    this.repaint();
    clearTimeout(this.patience);
    if (content.kind !== 'told' && this.subject && this.details.root.matches(':active')) {
      this.subject.seenIn = -1; // a click needs its button to stay until the pointer is up
      return;
    }
    if (content.kind === 'story' && this.subject?.task === content.task) {
      this.subject.app = content.app_id;
      this.details.showTask(content);
    } else if (content.kind === 'card' && this.subject?.task === 0 && this.subject.app === content.app) {
      this.details.showApp(content);
    } else if (content.kind === 'told') {
      this.say(content.text, content.is_error);
    }
  }

  /** Ends the view. */
  close() {
    this.ends.forEach(end => end());
    cancelAnimationFrame(this.frame);
    clearTimeout(this.patience);
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
      const view = new GraphView(model, store);
      const answer = content => view.answer(content);
      model.on('msg:custom', answer);
      const unwatch = watchKernel(model, () => view.lose());
      el.append(view.root);
      view.update(false);
      // A little later JupyterLab has a way to the kernel that a busy cell does not block.
      let opening = setTimeout(() => {
        opening = null;
        view.post({ kind: 'open' });
      }, OPEN_MILLISECONDS);
      return () => {
        view.close();
        model.off('msg:custom', answer);
        unwatch();
        if (opening === null) {
          view.post({ kind: 'close' });
        }
        clearTimeout(opening);
      };
    }
  };
};
