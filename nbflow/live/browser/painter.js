/** Owns the picture on the canvas. It reads store, camera and theme, and changes none of them. */

import { Captions } from './captions.js';
import { paintCard } from './card.js';
import { paintWeb, Web } from './web.js';

export const RADIUS = 7.5;
export const SMALL = 3.4; // pixels: below, marks are squares without signs
const SIGN_RADIUS = 4.2; // pixels: from here on, marks carry the sign of their state
const MOST_SPINNERS = 250;
const FADED = 0.16;
const FULL_TURN = 2 * Math.PI;

export class Painter {
  constructor(canvas, store, camera) {
    this.canvas = canvas;
    this.context = canvas.getContext('2d');
    this.store = store;
    this.camera = camera;
    this.web = new Web();
    this.captions = new Captions(store);
    this.theme = null;
    this.hovered = -1;
    this.selected = -1;
    this.isFaded = null; // tells which marks a search leaves in the background
    this.path = []; // the marks of the critical path, where it is shown
    this.signs = store.looks.map(look => new Path2D(look.glyph));
    this.running = store.looks.findIndex(look => look.word === 'running');
    this.failed = store.looks.findIndex(look => look.word === 'failed');
  }

  /** Paints everything; true when something spins and wants to be painted again. */
  paint(now, isMoving) {
    const { context, camera, canvas, store } = this;
    const ratio = canvas.width / camera.width;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, camera.width, camera.height);
    paintWeb(this, isMoving);
    this.captions.paint(this);
    this.paintNeighbours();
    this.paintPath();
    const buckets = this.visibleByState();
    let spins = false;
    for (let state = 0; state < buckets.length; state++) {
      if (buckets[state].length) {
        this.paintDots(buckets[state], state);
        spins = this.paintSpinners(buckets[state], state, now) || spins;
      }
    }
    for (const [mark, counts] of store.cards) {
      context.globalAlpha = this.isFaded?.(mark) ? FADED : 1;
      paintCard(this, mark, counts);
      context.globalAlpha = 1;
    }
    this.paintRing(this.hovered, 1.5);
    this.paintRing(this.selected, 2.5);
    return spins;
  }

  /** The pixel of a mark's centre. */
  x(mark) {
    return this.store.place[2 * mark] * this.camera.scale + this.camera.x;
  }

  y(mark) {
    return this.store.place[2 * mark + 1] * this.camera.scale + this.camera.y;
  }

  visibleByState() {
    const { store, camera } = this;
    const buckets = store.looks.map(() => []);
    const faded = store.looks.map(() => []);
    const edge = RADIUS * camera.scale + 4;
    for (let mark = 0; mark < store.count; mark++) {
      if (!store.task[mark]) {
        continue;
      }
      const x = this.x(mark);
      const y = this.y(mark);
      if (x > -edge && x < camera.width + edge && y > -edge && y < camera.height + edge) {
        (this.isFaded?.(mark) ? faded : buckets)[store.state[mark]].push(mark);
      }
    }
    faded.forEach((marks, state) => this.paintFaded(marks, state));
    return buckets;
  }

  paintDots(marks, state) {
    const { context, theme, camera, store } = this;
    const look = store.looks[state];
    const radius = RADIUS * camera.scale;
    context.fillStyle = context.strokeStyle = theme.states[state];
    if (radius < SMALL) {
      const side = Math.max(state === this.failed ? 6 : 1.4, radius * 1.75); // also seen without seeing red
      context.globalAlpha = look.is_solid ? 1 : 0.55;
      marks.forEach(mark => context.fillRect(this.x(mark) - side / 2, this.y(mark) - side / 2, side, side));
      context.globalAlpha = 1;
      return;
    }
    context.beginPath();
    for (const mark of marks) {
      this.outline(mark, look.is_solid ? radius : radius * 0.9, state);
    }
    if (look.is_solid) {
      context.fill();
    } else {
      context.fillStyle = theme.surface;
      context.fill();
      context.lineWidth = Math.max(1, radius * 0.2);
      context.stroke();
    }
    if (radius >= SIGN_RADIUS && look.glyph) {
      this.paintSigns(marks, state, radius);
    }
  }

  /** Marks that a person did not search for are shades of themselves. */
  paintFaded(marks, state) {
    const { context, theme, camera } = this;
    const side = Math.max(1.4, RADIUS * camera.scale * 1.5);
    context.fillStyle = theme.states[state];
    context.globalAlpha = FADED;
    marks.forEach(mark => context.fillRect(this.x(mark) - side / 2, this.y(mark) - side / 2, side, side));
    context.globalAlpha = 1;
  }

  /** Draws the critical path as one line over the edges. */
  paintPath() {
    const { context, theme, path } = this;
    context.strokeStyle = theme.accent;
    context.lineWidth = 3;
    context.beginPath();
    path.slice(1).forEach((mark, place) => this.edge(context, path[place], mark, true));
    context.stroke();
  }

  /** A failed task is a square among discs, seen without seeing red; a file is a sheet. */
  outline(mark, radius, state) {
    const x = this.x(mark);
    const y = this.y(mark);
    if (this.store.task[mark] < 0) {
      this.context.roundRect(x - radius * 0.75, y - radius, 1.5 * radius, 2 * radius, radius * 0.15);
    } else if (state === this.failed) {
      this.context.roundRect(x - radius, y - radius, 2 * radius, 2 * radius, radius * 0.35);
    } else {
      this.context.moveTo(x + radius, y);
      this.context.arc(x, y, radius, 0, FULL_TURN);
    }
  }

  paintSigns(marks, state, radius) {
    const { context, theme, store } = this;
    const size = radius / 7;
    context.save();
    context.strokeStyle = store.looks[state].is_solid ? theme.surface : theme.states[state];
    context.lineWidth = 1.7;
    context.lineCap = context.lineJoin = 'round';
    const base = context.getTransform();
    for (const mark of marks) {
      context.setTransform(base);
      context.translate(this.x(mark), this.y(mark));
      context.scale(size, size);
      context.stroke(this.signs[state]);
    }
    context.restore();
  }

  paintSpinners(marks, state, now) {
    const { context, camera, theme } = this;
    const radius = RADIUS * camera.scale;
    if (this.store.isLost || state !== this.running || radius < SIGN_RADIUS || marks.length > MOST_SPINNERS) {
      return false;
    }
    const turn = (now / 1100) * FULL_TURN;
    context.strokeStyle = theme.states[state];
    context.lineWidth = Math.max(1.2, radius * 0.17);
    context.lineCap = 'round';
    context.beginPath();
    for (const mark of marks) {
      const start = turn + mark;
      const [x, y, reach] = [this.x(mark), this.y(mark), radius * 1.38];
      context.moveTo(x + reach * Math.cos(start), y + reach * Math.sin(start));
      context.arc(x, y, reach, start, start + 1.5);
    }
    context.stroke();
    return true;
  }

  /** Draws the edges of the mark that a person looks at over all others. */
  paintNeighbours() {
    const { context, theme, store } = this;
    const mark = this.hovered >= 0 ? this.hovered : this.selected;
    if (mark < 0 || mark >= store.count) {
      return;
    }
    const { parents, children } = store.neighbours(mark);
    context.strokeStyle = theme.accent;
    context.lineWidth = 1.4;
    context.globalAlpha = parents.length + children.length > 200 ? 0.25 : 0.85;
    context.beginPath();
    parents.forEach(parent => this.edge(context, parent, mark, true));
    children.forEach(child => this.edge(context, mark, child, true));
    context.stroke();
    context.globalAlpha = 1;
  }

  /** Adds an edge to the path: from the right side of the parent to the left side of the child. */
  edge(context, parent, child, isCurved) {
    const x0 = this.x(parent) + this.halfWidth(parent);
    const y0 = this.y(parent);
    const x1 = this.x(child) - this.halfWidth(child);
    const y1 = this.y(child);
    context.moveTo(x0, y0);
    if (isCurved && y0 !== y1) {
      const bend = Math.max(8, Math.abs(x1 - x0) * 0.5);
      context.bezierCurveTo(x0 + bend, y0, x1 - bend, y1, x1, y1);
    } else {
      context.lineTo(x1, y1);
    }
  }

  halfWidth(mark) {
    return (this.store.task[mark] ? RADIUS + 1 : 88) * this.camera.scale;
  }

  paintRing(mark, width) {
    const { context, theme, camera, store } = this;
    if (mark < 0 || mark >= store.count || !store.task[mark]) {
      return;
    }
    context.strokeStyle = theme.accent;
    context.lineWidth = width;
    context.beginPath();
    context.arc(this.x(mark), this.y(mark), Math.max(5, RADIUS * camera.scale) + 3.5, 0, FULL_TURN);
    context.stroke();
  }

  /** The mark under a pixel, or -1. */
  markAt(x, y) {
    const { store, camera } = this;
    const reach = Math.max(7, RADIUS * camera.scale + 2);
    let best = -1;
    let nearest = reach * reach;
    for (let mark = 0; mark < store.count; mark++) {
      const dx = this.x(mark) - x;
      const dy = this.y(mark) - y;
      if (!store.task[mark]) {
        if (Math.abs(dx) < 88 * camera.scale && Math.abs(dy) < 28 * camera.scale) {
          return mark;
        }
      } else if (dx * dx + dy * dy < nearest) {
        nearest = dx * dx + dy * dy;
        best = mark;
      }
    }
    return best;
  }
}
