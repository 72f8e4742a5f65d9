/** Owns the graph on its canvas: where the camera stands, which mark is chosen, when it is painted again. */

import { Camera } from './camera.js';
import { button, element } from './dom.js';
import { Finder } from './finder.js';
import { Hands } from './hands.js';
import { Painter } from './painter.js';
import { Scrubber } from './scrubber.js';
import { readTheme, wantsStillness, watchTheme } from './theme.js';
import { Tooltip } from './tooltip.js';

const REST_MILLISECONDS = 140;
const MOST_GLIDERS = 3000;
const APPROACH = 0.22;
const LABEL = 'Task graph. Arrow keys go along edges, Enter opens, F finds failures, / searches.';

export class Graph {
  /** `view` has `store`, `drawer`, `root`, `say(text)`, `open(mark)` and `back()`. */
  constructor(view) {
    this.view = view;
    this.store = view.store;
    this.camera = new Camera();
    this.canvas = element('canvas', 'nbflow-canvas');
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute('role', 'application');
    this.canvas.setAttribute('aria-label', LABEL);
    this.painter = new Painter(this.canvas, this.store, this.camera);
    this.tooltip = new Tooltip(this.store);
    const tools = element(
      'div',
      'nbflow-tools',
      button('nbflow-tool', '−', 'Zoom out (-)', () => this.zoom(1 / 1.3)),
      button('nbflow-tool', '+', 'Zoom in (+)', () => this.zoom(1.3)),
      button('nbflow-tool', '⤢', 'Fit the whole graph (0)', () => this.fit())
    );
    this.finder = new Finder(this);
    this.scrubber = new Scrubber(view);
    this.files = button('nbflow-tool', '▤', 'Show files', () => this.toggleFiles());
    tools.append(this.finder.pathButton, this.files, this.scrubber.opener);
    this.root = element('div', 'nbflow-pane', this.canvas, this.finder.root, tools, this.scrubber.root, this.tooltip.root);
    this.frame = 0;
    this.lastMove = 0;
    this.frames = 0;
    this.hands = new Hands(this);
    this.ends = [watchTheme(() => this.dress()), this.watchSize()];
  }

  watchSize() {
    const observer = new ResizeObserver(() => {
      const { clientWidth, clientHeight } = this.root;
      if (!clientWidth || !clientHeight) {
        return;
      }
      const ratio = window.devicePixelRatio || 1;
      this.canvas.width = Math.round(clientWidth * ratio);
      this.canvas.height = Math.round(clientHeight * ratio);
      this.camera.resize(clientWidth, clientHeight);
      this.dress();
    });
    observer.observe(this.root);
    return () => observer.disconnect();
  }

  dress() {
    this.painter.theme = readTheme(this.view.root, this.store.looks);
    this.repaint();
  }

  /** Takes over what the store has learnt. */
  update(isNew) {
    if (isNew) {
      const { subject } = this.view.drawer;
      this.painter.hovered = -1;
      this.painter.selected = (subject && this.store.markOf(subject)) ?? -1;
      this.tooltip.hide();
    }
    this.files.hidden = !this.store.hasFiles;
    this.files.setAttribute('aria-pressed', String(this.store.showsFiles));
    this.finder.update(isNew);
    this.scrubber.update();
    this.repaint();
  }

  repaint() {
    if (!this.frame) {
      this.frame = requestAnimationFrame(now => this.paint(now));
    }
  }

  paint(now) {
    this.frame = 0;
    const { store, camera, painter } = this;
    if (!this.root.offsetParent || !painter.theme || camera.width <= 1) {
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
    this.view.root.dataset.frames = String(++this.frames);
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
    const { offsetWidth, hidden } = this.view.drawer.root;
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

  toggleFiles() {
    this.view.link.send({ kind: 'files', are_shown: !this.store.showsFiles });
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
      this.view.say(`${store.title(mark)}, ${standing}`);
    }
    this.moved();
  }

  open(mark) {
    this.tooltip.hide();
    this.view.open(mark);
  }

  back() {
    this.view.back();
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

  /** Ends the graph with its view. */
  close() {
    this.ends.forEach(end => end());
    this.scrubber.close();
    cancelAnimationFrame(this.frame);
  }
}
