/**
 * Owns the names over the blocks: each is written where it covers no mark and no other name.
 *
 * Where there is little room a name is shortened; where that would leave too little to read, it is left out:
 * the tooltip has it. All numbers are pixels.
 */

import { LEAST_TEXT_SCALE } from './card.js';
import { elided } from './text.js';

const LINE = 15;
const LIFT = 6; // from the baseline to the marks
const LEAST = 96; // less of a name than this says nothing
const SPACE = 8; // between two names
const EDGE = 6;
const MOST_OVERHANG = 90;

export class Captions {
  constructor(store) {
    this.store = store;
    this.widths = new Map();
    this.family = '';
  }

  /** Paints the names of the blocks that a painter's camera shows. */
  paint({ context, theme, camera }) {
    this.useFont(theme.font);
    const { blocks } = this.store;
    const boxes = blocks.map(block => this.box(context, block, camera));
    context.textBaseline = 'alphabetic';
    context.textAlign = 'left';
    context.lineWidth = 3;
    context.lineJoin = 'round';
    context.strokeStyle = theme.surface; // edges must not run through letters
    for (const { name, count, x, y, room } of place(boxes, camera)) {
      context.font = this.nameFont;
      const text = elided(context, name, room - this.width(context, count, this.countFont));
      context.strokeText(text, x, y);
      context.fillStyle = theme.text;
      context.fillText(text, x, y);
      if (count) {
        const end = x + context.measureText(text).width;
        context.font = this.countFont;
        context.strokeText(count, end, y);
        context.fillStyle = theme.muted;
        context.fillText(count, end, y);
      }
    }
  }

  /** How far names reach over the sides of the whole graph when it is drawn at a scale. */
  overhang({ context, theme }, scale) {
    this.useFont(theme.font);
    const { blocks, bounds } = this.store;
    const over = { left: 0, right: 0 };
    for (const block of blocks) {
      const { left, right } = this.box(context, block, { scale, x: 0, y: 0 });
      over.left = Math.max(over.left, bounds.left * scale - left);
      over.right = Math.max(over.right, right - bounds.right * scale);
    }
    return { left: Math.min(over.left, MOST_OVERHANG), right: Math.min(over.right, MOST_OVERHANG) };
  }

  useFont(family) {
    if (this.family !== family) {
      this.family = family;
      this.nameFont = `600 12px ${family}`;
      this.countFont = `400 12px ${family}`;
      this.widths.clear();
    }
  }

  /** Gives a block's place, its name, and where the name would like to be: from `left` to `right`. */
  box(context, block, { scale, x, y }) {
    const marks = { left: block.x * scale + x, top: block.y * scale + y, width: block.width * scale };
    const isInside = block.isCard && scale >= LEAST_TEXT_SCALE;
    const name = isInside ? '' : (this.store.apps.get(block.app) ?? '');
    const count = name && block.count > 1 ? `  ${block.count.toLocaleString()}` : '';
    const width = name ? this.width(context, name, this.nameFont) + this.width(context, count, this.countFont) : 0;
    const left = width <= marks.width ? marks.left : marks.left + (marks.width - width) / 2;
    return {
      marks: { ...marks, right: marks.left + marks.width, bottom: marks.top + block.height * scale },
      name, count, weight: block.count, width, left, right: left + width, y: marks.top - LIFT
    };
  }

  width(context, text, font) {
    const key = font + text;
    if (!this.widths.has(key)) {
      context.font = font;
      this.widths.set(key, context.measureText(text).width);
    }
    return this.widths.get(key);
  }
}

/** Chooses the names that can be shown and gives each its place: those of large blocks come first. */
function place(boxes, { width, height }) {
  const isSeen = box => box.name && box.right > 0 && box.left < width && box.y > LINE && box.y < height;
  const kept = [];
  for (const box of boxes.filter(isSeen).sort((a, b) => b.weight - a.weight || a.left - b.left)) {
    if (kept.every(other => !isBeside(box, other) || Math.abs(middle(box) - middle(other)) >= distance(box, other))) {
      kept.push(box);
    }
  }
  return kept.map(box => settled(box, boxes, kept, width)).filter(box => box.room >= Math.min(box.width, LEAST));
}

const middle = box => (box.left + box.right) / 2;
const isBeside = (box, other) => Math.abs(box.y - other.y) < LINE;
const distance = (box, other) => (Math.min(box.width, LEAST) + Math.min(other.width, LEAST)) / 2 + SPACE;

/** Gives a name the room between what stands to its left and to its right. */
function settled(box, boxes, kept, width) {
  const limit = { left: EDGE, right: width - EDGE };
  const at = middle(box);
  for (const { marks } of boxes) {
    const isInLine = marks.top < box.y + LIFT - 2 && marks.bottom > box.y - LINE + 3;
    if (isInLine && marks.right <= at) {
      limit.left = Math.max(limit.left, marks.right + SPACE / 2);
    } else if (isInLine) {
      limit.right = Math.min(limit.right, marks.left - SPACE / 2);
    }
  }
  for (const other of kept.filter(one => one !== box && isBeside(box, one))) {
    const share = at + ((middle(other) - at) * box.width) / (box.width + other.width);
    if (middle(other) < at) {
      limit.left = Math.max(limit.left, share + SPACE / 2);
    } else {
      limit.right = Math.min(limit.right, share - SPACE / 2);
    }
  }
  const room = Math.min(box.width, limit.right - limit.left);
  return { ...box, room, x: Math.max(limit.left, Math.min(box.left, limit.right - room)) };
}
