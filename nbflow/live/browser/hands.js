/** Owns what a person does to the graph with pointer, wheel and keys. */

const CLICK_PIXELS = 4;
const WHEEL_SPEED = 0.0016;
const KEY_ZOOM = 1.3;

export class Hands {
  /** `view` is the graph: it has `canvas`, `camera`, `store`, `painter`, and does what is asked here. */
  constructor(view) {
    this.view = view;
    this.grip = null;
    const { canvas } = view;
    canvas.addEventListener('pointerdown', event => this.press(event));
    canvas.addEventListener('pointermove', event => this.move(event));
    canvas.addEventListener('pointerup', event => this.release(event));
    canvas.addEventListener('pointercancel', () => this.letGo());
    canvas.addEventListener('pointerleave', () => view.hover(-1));
    canvas.addEventListener('dblclick', () => view.fit());
    canvas.addEventListener('wheel', event => this.wheel(event), { passive: false });
    canvas.addEventListener('keydown', event => this.key(event));
  }

  press(event) {
    if (event.button === 0) {
      this.view.canvas.setPointerCapture(event.pointerId);
      this.grip = { x: event.offsetX, y: event.offsetY, isDrag: false };
    }
  }

  move(event) {
    const { view, grip } = this;
    const [x, y] = [event.offsetX, event.offsetY];
    if (!grip) {
      view.hover(view.painter.markAt(x, y), x, y);
      return;
    }
    if (!grip.isDrag && Math.hypot(x - grip.x, y - grip.y) < CLICK_PIXELS) {
      return;
    }
    grip.isDrag = true;
    view.canvas.classList.add('nbflow-dragged');
    view.camera.pan(x - grip.x, y - grip.y);
    [grip.x, grip.y] = [x, y];
    view.hover(-1);
    view.moved();
  }

  release(event) {
    const { view, grip } = this;
    this.letGo();
    if (grip && !grip.isDrag) {
      view.open(view.painter.markAt(event.offsetX, event.offsetY));
    }
  }

  letGo() {
    this.grip = null;
    this.view.canvas.classList.remove('nbflow-dragged');
  }

  /** The wheel zooms with Ctrl or once the graph has the focus; else the notebook scrolls past. */
  wheel(event) {
    const { view } = this;
    if (!event.ctrlKey && !event.metaKey && document.activeElement !== view.canvas) {
      return;
    }
    event.preventDefault();
    view.camera.zoom(Math.exp(-event.deltaY * WHEEL_SPEED), view.store.bounds, event.offsetX, event.offsetY);
    view.moved();
  }

  key(event) {
    const { view } = this;
    const actions = {
      '+': () => view.zoom(KEY_ZOOM),
      '=': () => view.zoom(KEY_ZOOM),
      '-': () => view.zoom(1 / KEY_ZOOM),
      0: () => view.fit(),
      f: () => view.nextIn(view.painter.failed),
      '/': () => view.finder.focus(),
      Enter: () => this.enter(),
      Escape: () => view.back(),
      ArrowLeft: () => view.select(this.along('parents')),
      ArrowRight: () => view.select(this.along('children')),
      ArrowUp: () => view.select(this.beside(-1)),
      ArrowDown: () => view.select(this.beside(1))
    };
    if (event.key in actions && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      event.stopPropagation();
      actions[event.key]();
    }
  }

  along(side) {
    const { selected } = this.view.painter;
    return selected < 0 ? this.beside(1) : (this.view.store.neighbours(selected)[side][0] ?? selected);
  }

  /** The next mark down its column and then of the column to the right; with -1 the other way. */
  beside(step) {
    const { painter, store } = this.view;
    const marks = store.columnwise();
    const next = painter.selected < 0 ? 0 : marks.indexOf(painter.selected) + step;
    return marks[Math.max(0, Math.min(marks.length - 1, next))] ?? -1;
  }

  enter() {
    const { painter, view } = this.view;
    view.drawer.details.wantsFocus = painter.selected >= 0;
    this.view.open(painter.selected);
  }
}
