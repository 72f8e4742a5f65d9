/** Owns the panel about one mark: a task's story with its traceback and output, or the tasks of an app. */

import { button, element, facts, stateIcon } from './dom.js';
import { inWords } from './duration.js';
import { inside } from './inside.js';

export class Details {
  /** `act` is what the panel's buttons may ask for: `retry`, `edit`, `look`, `cancel`, `show` ...; see `Drawer`. */
  constructor(looks, act) {
    this.looks = looks;
    this.act = act;
    this.root = element('aside', 'nbflow-details');
    this.root.setAttribute('aria-label', 'Task details');
    this.root.tabIndex = -1;
    this.root.addEventListener('keydown', event => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        act.close();
      }
    });
    this.root.hidden = true;
    this.topic = null;
    this.editor = null;
    this.isInside = false;
    this.wantsFocus = false; // a person came by keyboard and goes on in here
  }

  /** Whether something stands in place of the story. */
  get isAway() {
    return this.isInside || this.editor !== null;
  }

  close() {
    this.root.hidden = true;
    this.topic = null;
    this.editor = null;
    this.isInside = false;
    this.wantsFocus = false;
    this.root.replaceChildren();
  }

  /** Shows the story of a task. */
  showTask(story) {
    const look = this.looks[story.state];
    this.isRunning = look.word === 'running';
    this.fill(
      `task ${story.task}`,
      this.title(look, story.call || story.app, `task ${story.task} · ${look.word}`),
      this.actions(story),
      story.failure ? this.failure(story.failure) : null,
      ...story.outputs.map(output),
      this.taskFacts(story),
      story.memo ? element('section', '', element('h5', '', 'Remembered?'), element('pre', '', story.memo)) : null,
      story.attempts.length > 1 ? attempts(story.attempts) : null
    );
  }

  /** Shows a form in place of a task's story, until it is closed. */
  showEditor(draft, editor) {
    this.editor = editor;
    const look = this.looks.find(one => one.word === 'failed');
    this.fill(`edit ${draft.task}`, this.title(look, `Edit ${draft.name} and retry`, `task ${draft.task}`), editor.root);
    editor.focus();
  }

  leaveEditor() {
    this.editor = null;
    this.topic = null;
  }

  /** Shows what the record of a failure kept, in place of a task's story. */
  showInside(content, act) {
    this.isInside = true;
    const look = this.looks.find(one => one.word === 'failed');
    this.fill(`inside ${content.task}`, this.title(look, content.app, `task ${content.task} · as it failed`), ...inside(content, act));
  }

  leaveInside() {
    this.isInside = false;
  }

  /** Shows the tasks of an app. */
  showApp(card) {
    const counts = element('div', 'nbflow-standing');
    for (const [state, count] of card.counts) {
      counts.append(
        stateIcon(this.looks[state]),
        element('span', '', `${count.toLocaleString()} ${this.looks[state].word}`)
      );
    }
    const size = card.total === 1 ? '1 task' : `${card.total.toLocaleString()} tasks`;
    const title = card.is_opened ? 'Fold into one card' : `Show its ${size}`;
    this.fill(
      `app ${card.app}`,
      this.title(null, card.app_name, size),
      counts,
      card.can_toggle
        ? button('nbflow-button', title, title, () => this.act.toggle(card.app))
        : element('p', 'nbflow-muted', 'Too many to draw one by one.'),
      this.taskList('', card.tasks, card.total - card.tasks.length)
    );
  }

  /** Shows a file: where it is, who writes and who reads it. */
  showFile(file) {
    const look = this.looks[file.state];
    const size = file.nbytes === null ? 'not there, seen from the kernel' : `${file.nbytes.toLocaleString()} bytes`;
    const more = file.readers - file.read_by.length;
    this.isRunning = false;
    this.fill(
      `file ${file.task}`,
      this.title(look, file.name, 'a file'),
      facts([['path', file.path], ['size', size]]),
      this.taskList('Written by', file.written_by),
      this.taskList('Read by', file.read_by, more)
    );
  }

  /** Fills the panel. News about the same topic leave a person where they are: scrolled, and on the same button. */
  fill(topic, ...parts) {
    const { root } = this;
    const isSame = topic === this.topic;
    const held = root.contains(document.activeElement) ? document.activeElement.getAttribute('aria-label') : null;
    const scrolled = isSame ? root.scrollTop : 0;
    root.replaceChildren(...parts.filter(part => part !== null));
    root.hidden = false;
    root.scrollTop = scrolled;
    this.topic = topic;
    if (held !== null || this.wantsFocus) {
      const buttons = isSame ? [...root.querySelectorAll('button')] : [];
      const same = buttons.find(one => one.getAttribute('aria-label') === held);
      (same || root).focus({ preventScroll: true });
      this.wantsFocus = false;
    }
  }

  title(look, text, subtitle) {
    const close = button('nbflow-close', '✕', 'Close the panel (Escape)', () => this.act.close());
    const line = element('p', 'nbflow-muted', subtitle);
    if (look) {
      line.prepend(stateIcon(look), ' ');
    }
    return element('header', '', close, element('h4', '', text), line);
  }

  actions(story) {
    const { task, failure } = story;
    const offer = (label, title, deed) => button('nbflow-button', label, title, deed);
    const text = failure && failure.traceback.map(part => part.text).join('');
    const offered = [
      story.can_retry ? offer('Retry', 'Run this task again, and what waits for it', () => this.act.retry([task])) : null,
      story.can_retry ? offer('Edit and retry', 'Edit this task, then run it again', () => this.act.edit(task)) : null,
      text ? offer('Look inside', 'Look at the variables where it failed', () => this.act.look(task)) : null,
      story.can_cancel ? offer('Cancel', 'Cancel this task', () => this.act.cancel([task])) : null,
      text ? offer('Copy', 'Copy the traceback', () => window.navigator.clipboard.writeText(text)) : null
    ].filter(one => one !== null);
    return offered.length ? element('div', 'nbflow-actions', ...offered) : null;
  }

  failure(failure) {
    const { error, message, root } = failure;
    const words = (message?.startsWith(error) ? message : [error, message].filter(Boolean).join(': ')) || 'failed';
    const parts = [element('p', 'nbflow-error', root ? `Not run: it needs task ${root}, which failed (${words})` : words)];
    if (root) {
      parts.push(button('nbflow-link', `Go to task ${root}`, `Go to task ${root}`, () => this.act.show(root)));
    }
    if (failure.traceback.length) {
      parts.push(element('div', 'nbflow-traceback', ...failure.traceback.map(tracebackPart)));
    }
    return element('section', '', ...parts);
  }

  taskFacts(story) {
    return facts([
      ['app', story.app],
      ['label', story.label],
      ['submitted', clock(story.submitted)],
      ['waited', story.waited === null ? null : inWords(story.waited)],
      ['ran', story.seconds === null ? null : inWords(story.seconds)],
      ['used', story.usage.map(usage).join('') || null],
      ['on', story.slot],
      ['because', story.why],
      ['attempts', story.attempts.length || null],
      ['repaired', story.repairs.join('; ') || null],
      ['reads', story.reads.join(', ') || null],
      ['writes', story.writes.join(', ') || null],
      ['called in', this.cellLink(story)]
    ]);
  }

  /** The cell that made the task: a click goes there. */
  cellLink({ origin, cell }) {
    return cell ? button('nbflow-link', origin, `Go to the cell, ${origin}`, () => this.act.scroll(cell)) : origin;
  }

  taskList(title, tasks, hidden = 0) {
    if (!tasks.length) {
      return null;
    }
    const list = element('ul', 'nbflow-tasks');
    for (const { task, state, call, app } of tasks) {
      const line = button('nbflow-link', '', call, () => this.act.show(task, app));
      line.append(stateIcon(this.looks[state]), element('code', '', call));
      list.append(element('li', '', line));
    }
    const rest = hidden > 0 ? element('p', 'nbflow-muted', `and ${hidden.toLocaleString()} more`) : null;
    return element('section', '', title ? element('h5', '', title) : null, list, rest);
  }
}

/** A part of a traceback: as it is, or folded under its title. */
function tracebackPart({ text, title }) {
  const shown = element('pre', '', text.replace(/\n$/, ''));
  return title ? element('details', '', element('summary', '', title), shown) : shown;
}

function attempts(tries) {
  const list = element('ol', 'nbflow-attempts');
  for (const one of tries) {
    const seconds = one.seconds === null ? '' : inWords(one.seconds);
    const words = [one.end, seconds, one.slot, one.error].filter(Boolean).join(' · ');
    list.append(element('li', '', words));
  }
  return element('section', '', element('h5', '', 'Attempts'), list);
}

function output({ stream, text, nbytes }) {
  const size = nbytes > text.length ? `${stream} (${nbytes.toLocaleString()} bytes, shown in part)` : stream;
  return element('section', '', element('h5', '', size), element('pre', '', text.trimEnd()));
}

function usage({ cpu_seconds: seconds, nbytes }) {
  const held = nbytes === null ? '' : `, at most ${(nbytes / 1e6).toLocaleString(undefined, { maximumFractionDigits: 0 })} MB of memory`;
  return `${inWords(seconds)} of processor time${held}`;
}

function clock(time) {
  return new Date(time * 1000).toLocaleTimeString();
}
