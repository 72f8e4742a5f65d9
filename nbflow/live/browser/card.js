/** Owns the picture of a card: an app's name, how many of its tasks are done, and a bar of their states. */

import { elided } from './text.js';

const WIDTH = 176;
const HEIGHT = 56;
const LEAST_NAME = 48; // pixels
const LEAST_SIZE = 11;

/** From this scale on, the name is in the card. */
export const LEAST_TEXT_SCALE = 0.5;

/** Paints the card of a mark whose tasks are counted by state. */
export function paintCard(painter, mark, counts) {
  const { context, theme, camera, store } = painter;
  const scale = camera.scale;
  const width = WIDTH * scale;
  const height = HEIGHT * scale;
  const left = painter.x(mark) - width / 2;
  const top = painter.y(mark) - height / 2;
  if (left > camera.width || left + width < 0 || top > camera.height || top + height < 0) {
    return;
  }
  const isChosen = mark === painter.hovered || mark === painter.selected;
  context.beginPath();
  context.roundRect(left, top, width, height, 7 * scale);
  context.fillStyle = theme.raised;
  context.fill();
  context.strokeStyle = isChosen ? theme.accent : theme.line;
  context.lineWidth = isChosen ? 2 : 1;
  context.stroke();
  const total = counts.reduce((sum, count) => sum + count, 0);
  const box = { left: left + 11 * scale, width: width - 22 * scale };
  if (scale >= LEAST_TEXT_SCALE) {
    const done = counts[store.looks.findIndex(look => look.word === 'done')];
    const numbers = `${done.toLocaleString()} / ${total.toLocaleString()}`;
    paintWords(painter, store.title(mark), numbers, { ...box, middle: top + 20 * scale });
  }
  paintBar(painter, counts, total, { ...box, top: top + 37 * scale, height: 6 * scale });
  if (counts[painter.failed]) {
    paintBadge(painter, counts[painter.failed], left + width - 6 * scale, top);
  }
}

/** Writes the name at the left and the numbers at the right, or the name alone where both have no room. */
function paintWords({ context, theme, camera }, name, numbers, { left, width, middle }) {
  const font = size => `${Math.max(LEAST_SIZE, size * camera.scale)}px ${theme.font}`;
  context.textBaseline = 'middle';
  context.font = `400 ${font(11)}`;
  context.textAlign = 'right';
  context.fillStyle = theme.muted;
  const rest = width - context.measureText(numbers).width - 8;
  const hasNumbers = rest >= LEAST_NAME;
  if (hasNumbers) {
    context.fillText(numbers, left + width, middle);
  }
  context.font = `600 ${font(12)}`;
  context.textAlign = 'left';
  context.fillStyle = theme.text;
  context.fillText(elided(context, name, hasNumbers ? rest : width), left, middle);
}

/** Counts the failed tasks in a sign of their own: a bar says it by hue alone. */
function paintBadge({ context, theme, failed }, count, right, middle) {
  const text = `✕ ${count.toLocaleString()}`;
  context.font = `600 ${LEAST_SIZE}px ${theme.font}`;
  context.textBaseline = 'middle';
  context.textAlign = 'center';
  const width = context.measureText(text).width + 10;
  context.beginPath();
  context.roundRect(right - width, middle - 8, width, 16, 4);
  context.fillStyle = theme.states[failed];
  context.fill();
  context.fillStyle = theme.surface;
  context.fillText(text, right - width / 2, middle + 0.5);
}

function paintBar({ context, theme, store }, counts, total, box) {
  const strength = context.globalAlpha;
  context.save();
  context.beginPath();
  context.roundRect(box.left, box.top, box.width, box.height, box.height / 2);
  context.clip();
  context.fillStyle = theme.line;
  context.fillRect(box.left, box.top, box.width, box.height);
  let left = box.left;
  const waiting = store.looks.findIndex(look => look.word === 'waiting');
  for (const state of store.order.filter(one => one !== waiting)) {
    const width = (box.width * counts[state]) / Math.max(1, total);
    context.fillStyle = theme.states[state];
    context.globalAlpha = strength * (store.looks[state].is_solid ? 1 : 0.35);
    context.fillRect(left, box.top, width, box.height);
    left += width;
  }
  context.restore();
}
