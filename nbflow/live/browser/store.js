/**
 * Owns what the browser knows of a graph: flat arrays over marks, fed by the kernel's messages.
 *
 * A mark is a task, a card for all tasks of an app (its task is 0), or a file (its number, negative).
 */

const GLIDE_MILLISECONDS = 350;

export class Store {
  /** `looks` tells how each state is shown, `order` in which order people read the states. */
  constructor(looks, order) {
    this.looks = looks;
    this.order = order;
    this.listeners = new Set();
    this.head = null;
    this.past = null;
    this.seq = -1;
    this.isLost = false; // the kernel is gone
    this.clockSkew = 0;
    this.frozen = 0;
    this.clear();
  }

  clear() {
    this.count = 0;
    this.edgeCount = 0;
    this.task = new Int32Array(256);
    this.app = new Int32Array(256);
    this.state = new Uint8Array(256);
    this.started = new Float64Array(256);
    this.seconds = new Float32Array(256);
    this.changedIn = new Int32Array(256); // the number of the message that changed it last
    this.place = new Float32Array(512); // where marks are drawn now
    this.from = new Float32Array(512); // where they come from ...
    this.goal = new Float32Array(512); // ... and go to
    this.edges = new Int32Array(512);
    this.apps = new Map();
    this.calls = [];
    this.origins = []; // the cell or line that called each mark's task
    this.cards = new Map();
    this.blocks = [];
    this.bounds = null;
    this.moveStart = 0;
    this.moves = 0;
    this.settled = 0;
    this.isFolded = false;
    this.hasFiles = false;
    this.showsFiles = false;
    this.markOfTask = new Map();
    this.cardOfApp = new Map();
  }

  /** Takes in one message; false when one before it was lost and everything has to be sent again. */
  take(content, buffers) {
    const scene = content.scene;
    if (content.seq !== this.seq + 1 && !scene?.is_new) {
      return false;
    }
    this.head = content.head;
    this.past = content.past ?? null; // a moment that a person went back to: { seconds, of }
    this.clockSkew = content.now - Date.now() / 1000;
    this.frozen = content.now;
    if (scene) {
      if (scene.is_new) {
        this.clear();
      }
      this.takeScene(scene, buffers, content.seq);
    }
    this.seq = content.seq;
    this.listeners.forEach(listener => listener(Boolean(scene?.is_new)));
    return true;
  }

  takeScene(scene, buffers, seq) {
    const [marks, edges, places, changed, states, started, seconds] = buffers.map(copied);
    this.isFolded = scene.is_folded;
    this.hasFiles = scene.has_files;
    this.showsFiles = scene.shows_files;
    for (const [app, name] of Object.entries(scene.apps)) {
      this.apps.set(Number(app), name);
    }
    this.append(new Int32Array(marks), scene.calls);
    this.origins.push(...scene.called_in);
    this.appendEdges(new Int32Array(edges));
    const columns = [new Uint8Array(states), new Float64Array(started), new Float32Array(seconds)];
    this.change(seq, new Int32Array(changed), ...columns);
    for (const [mark, counts] of Object.entries(scene.cards)) {
      this.cards.set(Number(mark), counts);
    }
    if (scene.blocks) {
      this.blocks = scene.blocks.map(([app, x, y, width, height, count, isCard]) =>
        ({ app, x, y, width, height, count, isCard }));
      this.move(new Float32Array(places), scene.first);
    }
  }

  append(pairs, calls) {
    const count = this.count + pairs.length / 2;
    for (const name of ['task', 'app', 'state', 'started', 'seconds', 'changedIn']) {
      this[name] = grown(this[name], count);
    }
    for (const name of ['place', 'from', 'goal']) {
      this[name] = grown(this[name], 2 * count);
    }
    for (let i = 0; i < pairs.length; i += 2) {
      const mark = this.count++;
      this.task[mark] = pairs[i];
      this.app[mark] = pairs[i + 1];
      if (pairs[i]) {
        this.markOfTask.set(pairs[i], mark);
      } else {
        this.cardOfApp.set(pairs[i + 1], mark);
      }
    }
    this.calls.push(...calls);
  }

  appendEdges(pairs) {
    this.edges = grown(this.edges, 2 * this.edgeCount + pairs.length);
    this.edges.set(pairs, 2 * this.edgeCount);
    this.edgeCount += pairs.length / 2;
  }

  change(seq, marks, states, started, seconds) {
    marks.forEach((mark, i) => {
      this.state[mark] = states[i];
      this.started[mark] = started[i];
      this.seconds[mark] = seconds[i];
      this.changedIn[mark] = seq;
    });
  }

  /** Lets marks glide to new places; those from `first` on are new and appear where they belong. */
  move(goals, first) {
    this.from.set(this.place.subarray(0, goals.length));
    this.goal.set(goals);
    this.from.set(goals.subarray(2 * first), 2 * first);
    this.moveStart = performance.now();
    this.moves++;
    // Without blocks there is nothing to fit: infinite bounds would leave the camera nowhere for good.
    this.bounds = !this.blocks.length ? null : this.blocks.reduce((all, block) => ({
      left: Math.min(all.left, block.x),
      right: Math.max(all.right, block.x + block.width),
      top: Math.min(all.top, block.y - (block.isCard ? 0 : 18)),
      bottom: Math.max(all.bottom, block.y + block.height)
    }), { left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity });
  }

  /** Brings `place` up to date; true while marks still move. */
  glide(now, isStill) {
    const part = isStill ? 1 : Math.min(1, (now - this.moveStart) / GLIDE_MILLISECONDS);
    if (this.settled === this.moves) {
      return false;
    }
    const eased = 1 - (1 - part) ** 3;
    for (let i = 0; i < 2 * this.count; i++) {
      this.place[i] = this.from[i] + (this.goal[i] - this.from[i]) * eased;
    }
    if (part === 1) {
      this.settled = this.moves;
    }
    return part < 1;
  }

  /** Now, by the kernel's clock, in seconds; in the past it stands still. */
  now() {
    return this.past ? this.frozen : Date.now() / 1000 + this.clockSkew;
  }

  /** The seconds that a mark's task has run, or null when it has not. */
  runTime(mark) {
    if (this.looks[this.state[mark]].word === 'running' && this.started[mark] > 0) {
      return Math.max(0, this.now() - this.started[mark]);
    }
    return this.seconds[mark] > 0 ? this.seconds[mark] : null;
  }

  /** The mark that stands for a task, or for its app when that is folded; undefined when there is none. */
  markOf({ task, app }) {
    return this.markOfTask.get(task) ?? this.cardOfApp.get(app);
  }

  /** The marks that feed a mark, and those that it feeds. */
  neighbours(mark) {
    const found = { parents: [], children: [] };
    for (let i = 0; i < 2 * this.edgeCount; i += 2) {
      if (this.edges[i] === mark) {
        found.children.push(this.edges[i + 1]);
      } else if (this.edges[i + 1] === mark) {
        found.parents.push(this.edges[i]);
      }
    }
    return found;
  }

  /** All marks column after column, each from top to bottom. */
  columnwise() {
    const { goal } = this;
    const marks = Array.from({ length: this.count }, (_, mark) => mark);
    return marks.sort((a, b) => goal[2 * a] - goal[2 * b] || goal[2 * a + 1] - goal[2 * b + 1]);
  }

  /** The name of a mark: its call, or its app when it is a card. */
  title(mark) {
    return this.task[mark] ? this.calls[mark] : (this.apps.get(this.app[mark]) ?? '');
  }

  /** The counts by state of the tasks behind a mark. */
  countsOf(mark) {
    const counts = this.cards.get(mark);
    if (counts) {
      return counts;
    }
    const single = new Array(this.looks.length).fill(0);
    single[this.state[mark]] = 1;
    return single;
  }
}

function grown(values, length) {
  if (length <= values.length) {
    return values;
  }
  const larger = new values.constructor(Math.max(length, 2 * values.length));
  larger.set(values);
  return larger;
}

/** The bytes of a message's buffer at an address of their own: typed arrays want them aligned. */
function copied(view) {
  return view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
}
