/** Owns the edges of the picture. Many edges are kept as a bitmap, which moves with the view until it rests. */

const MANY = 3000;

export class Web {
  constructor() {
    this.bitmap = document.createElement('canvas');
    this.key = '';
    this.at = null;
  }
}

/** Paints the edges of a painter's store. While the view moves, many edges are painted as they last were. */
export function paintWeb(painter, isMoving) {
  const { store, camera, context, web, canvas } = painter;
  if (store.edgeCount <= MANY) {
    strokeEdges(painter, context);
    return;
  }
  const key = [store.moves, store.edgeCount, store.head?.counts.join(), painter.theme.line, canvas.width, !painter.isFaded].join('/');
  const isSame = web.at && web.at.scale === camera.scale && web.at.x === camera.x && web.at.y === camera.y;
  if (!web.at || (!isMoving && !(isSame && web.key === key))) {
    web.bitmap.width = canvas.width;
    web.bitmap.height = canvas.height;
    const ratio = canvas.width / camera.width;
    const ink = web.bitmap.getContext('2d');
    ink.setTransform(ratio, 0, 0, ratio, 0, 0);
    strokeEdges(painter, ink);
    web.key = key;
    web.at = { scale: camera.scale, x: camera.x, y: camera.y };
  }
  const stretch = camera.scale / web.at.scale;
  context.drawImage(
    web.bitmap,
    camera.x - web.at.x * stretch,
    camera.y - web.at.y * stretch,
    camera.width * stretch,
    camera.height * stretch
  );
}

function strokeEdges(painter, context) {
  const { store, theme, camera } = painter;
  const isCurved = store.edgeCount <= MANY;
  const trouble = [];
  const [failed, blocked] = ['failed', 'upstream failed'].map(word =>
    store.looks.findIndex(look => look.word === word)
  );
  context.strokeStyle = theme.line;
  context.lineWidth = Math.min(1.4, Math.max(0.7, camera.scale));
  const strength = store.edgeCount > MANY ? 0.1 : store.edgeCount > 500 ? 0.4 : store.edgeCount > 60 ? 0.5 : 0.9;
  context.globalAlpha = strength * (painter.isFaded ? 0.4 : 1);
  context.beginPath();
  for (let i = 0; i < 2 * store.edgeCount; i += 2) {
    const [parent, child] = [store.edges[i], store.edges[i + 1]];
    const cause = store.state[parent];
    if (store.state[child] === blocked && (cause === failed || cause === blocked)) {
      trouble.push(i);
    } else {
      painter.edge(context, parent, child, isCurved);
    }
  }
  context.stroke();
  if (trouble.length) {
    context.strokeStyle = theme.states[blocked];
    context.beginPath();
    trouble.forEach(i => painter.edge(context, store.edges[i], store.edges[i + 1], isCurved));
    context.stroke();
  }
  context.globalAlpha = 1;
}
