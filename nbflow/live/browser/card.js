/** Owns the picture of a card: an app's name, how many of its tasks are done, and a bar of their states. */

const WIDTH = 176;
const HEIGHT = 56;
const LEAST_TEXT_SCALE = 0.5;

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
  if (scale >= LEAST_TEXT_SCALE) {
    const done = counts[store.looks.findIndex(look => look.word === 'done')];
    const numbers = `${done.toLocaleString()} / ${total.toLocaleString()}`;
    context.textBaseline = 'middle';
    context.font = `400 ${11 * scale}px ${theme.font}`;
    context.fillStyle = theme.muted;
    context.textAlign = 'right';
    context.fillText(numbers, left + width - 11 * scale, top + 20 * scale);
    const room = width - 30 * scale - context.measureText(numbers).width;
    context.font = `600 ${12 * scale}px ${theme.font}`;
    context.fillStyle = theme.text;
    context.textAlign = 'left';
    context.fillText(painter.elided(store.title(mark), room), left + 11 * scale, top + 20 * scale);
  }
  paintBar(painter, counts, total, {
    left: left + 11 * scale,
    top: top + 37 * scale,
    width: width - 22 * scale,
    height: 6 * scale
  });
}

function paintBar({ context, theme, store }, counts, total, box) {
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
    context.globalAlpha = store.looks[state].is_solid ? 1 : 0.35;
    context.fillRect(left, box.top, width, box.height);
    left += width;
  }
  context.restore();
}
