/** Owns the way from the graph's units to pixels: pan, zoom, fit. */

const MOST_ZOOM = 4;
const FITTED_ZOOM = 1.5;
const MARGIN = 28;
const TOOLS = 14; // more at the top and the bottom: the search and the buttons there cover no name and no mark

export class Camera {
  constructor() {
    this.scale = 1;
    this.x = 0; // pixel of the graph's origin
    this.y = 0;
    this.width = 1;
    this.height = 1;
    this.inset = 0; // pixels at the right that the panel covers
    this.overhang = { left: 0, right: 0 }; // pixels of names beside the outermost marks
    this.isFitted = true; // follows the graph until a person takes over
  }

  resize(width, height) {
    this.width = width;
    this.height = height;
  }

  /** Gives the scale and origin at which `bounds` fill the view. */
  fitting(bounds) {
    const width = Math.max(1, bounds.right - bounds.left);
    const height = Math.max(1, bounds.bottom - bounds.top);
    const left = MARGIN + this.overhang.left;
    const right = this.width - this.inset - MARGIN - this.overhang.right;
    const top = MARGIN + TOOLS;
    const bottom = this.height - top;
    const scale = Math.min(FITTED_ZOOM, Math.max(1, right - left) / width, Math.max(1, bottom - top) / height);
    return {
      scale,
      x: (left + right) / 2 - (scale * (bounds.left + bounds.right)) / 2,
      y: (top + bottom) / 2 - (scale * (bounds.top + bounds.bottom)) / 2
    };
  }

  /** Moves towards the fitted place; true while it is not there. `part` is how much of the way to go now. */
  approach(bounds, part) {
    const goal = this.fitting(bounds);
    const far =
      Math.abs(goal.x - this.x) + Math.abs(goal.y - this.y) + 1000 * Math.abs(goal.scale / this.scale - 1);
    const step = far < 0.5 ? 1 : part;
    this.scale += (goal.scale - this.scale) * step;
    this.x += (goal.x - this.x) * step;
    this.y += (goal.y - this.y) * step;
    return step < 1;
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.isFitted = false;
  }

  /** Zooms so that what is under the pixel (x, y) stays there. */
  zoom(factor, bounds, x = this.width / 2, y = this.height / 2) {
    const least = bounds ? Math.min(this.fitting(bounds).scale * 0.6, 1) : 0.05;
    const scale = Math.min(MOST_ZOOM, Math.max(least, this.scale * factor));
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.isFitted = false;
  }

  /** Brings a place of the graph into view, moving no more than needed. */
  reveal(worldX, worldY) {
    const x = worldX * this.scale + this.x;
    const y = worldY * this.scale + this.y;
    const dx = Math.max(0, MARGIN - x) + Math.min(0, this.width - this.inset - MARGIN - x);
    const dy = Math.max(0, MARGIN - y) + Math.min(0, this.height - MARGIN - y);
    if (dx || dy) {
      this.pan(dx, dy);
    }
  }
}
