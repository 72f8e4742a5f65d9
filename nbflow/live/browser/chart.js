/** Owns a chart that the kernel has drawn: it is shown, zoomed by dragging, and asked what is under a click. */

import { button, element } from './dom.js';

const CLICKED_PIXELS = 5;
const ZOOM = 1.6;

export class Chart {
  /** `ask(options)` asks the kernel for the chart again. */
  constructor(ask) {
    this.ask = ask;
    this.tools = element(
      'div',
      'nbflow-tools',
      button('nbflow-tool', '−', 'Show more time', () => this.scale(ZOOM)),
      button('nbflow-tool', '+', 'Show less time', () => this.scale(1 / ZOOM)),
      button('nbflow-tool', '⤢', 'Show all of the time', () => this.look(null))
    );
    this.band = element('div', 'nbflow-band');
    this.reset();
  }

  reset() {
    this.span = null; // [from, to] in seconds since the run's start; null is all of it
    this.frame = null; // where the kernel drew which time
  }

  get options() {
    return { span: this.span };
  }

  show({ svg, frame }, root) {
    this.frame = frame;
    const drawing = new window.DOMParser().parseFromString(svg, 'image/svg+xml').documentElement;
    const shown = document.importNode(drawing, true);
    const scrolled = root.scrollTop;
    root.replaceChildren(shown, this.band, ...(frame ? [this.tools] : []));
    root.scrollTop = scrolled;
    this.band.hidden = true;
    if (frame) {
      shown.addEventListener('pointerdown', event => this.press(event, shown));
      shown.addEventListener('dblclick', () => this.look(null));
    }
  }

  /** Looks at a span of time. */
  look(span) {
    this.span = span;
    this.ask();
  }

  scale(factor) {
    const { from, to } = this.frame;
    const [middle, half] = [(from + to) / 2, ((to - from) / 2) * factor];
    this.look([middle - half, middle + half]);
  }

  time(x) {
    const { left, right, from, to } = this.frame;
    return from + ((Math.max(left, Math.min(right, x)) - left) / (right - left)) * (to - from);
  }

  press(event, shown) {
    const box = shown.getBoundingClientRect();
    const [startX, startY] = [event.clientX - box.left, event.clientY - box.top];
    const move = moved => {
      const x = moved.clientX - box.left;
      this.band.hidden = Math.abs(x - startX) < CLICKED_PIXELS;
      this.band.style.left = `${Math.min(x, startX)}px`;
      this.band.style.width = `${Math.abs(x - startX)}px`;
    };
    const release = released => {
      document.removeEventListener('pointermove', move);
      document.removeEventListener('pointerup', release);
      this.band.hidden = true;
      const x = released.clientX - box.left;
      if (Math.abs(x - startX) < CLICKED_PIXELS) {
        this.ask({ pick: [startX, startY] });
      } else {
        this.look([this.time(Math.min(x, startX)), this.time(Math.max(x, startX))]);
      }
    };
    document.addEventListener('pointermove', move);
    document.addEventListener('pointerup', release);
  }
}
