/** Owns the editing of a failed task in the panel: its function, its arguments, and who is run again so. */

import { difference } from './diff.js';
import { button, element } from './dom.js';

const INDENT = '    ';
const FEWEST_LINES = 6;
const MOST_LINES = 22;
const CONTEXT = 2; // lines around a change

export class Editor {
  /** `draft` is what the kernel gave; `act` has `run(edit)` and `close()`; `canKeep` tells of a cell to write to. */
  constructor(draft, act, canKeep) {
    this.draft = draft;
    this.act = act;
    this.inputs = new Map();
    this.trouble = element('p', 'nbflow-error');
    this.trouble.setAttribute('role', 'alert');
    this.changes = element('pre', 'nbflow-diff');
    this.text = this.area();
    this.keep = canKeep ? choice('checkbox', 'keep', `Write the change into the cell, ${draft.defined_in}`) : null;
    this.scopes = this.scope();
    this.go = button('nbflow-button nbflow-main', 'Run again', 'Run again with these changes (Ctrl+Enter)', () => this.run());
    this.root = element(
      'form',
      'nbflow-editor',
      draft.source === null ? element('p', 'nbflow-muted', draft.why_not) : this.sheet(),
      this.argumentForm(),
      this.changes,
      this.scopes.root,
      this.keep?.root ?? null,
      this.trouble,
      element(
        'div',
        'nbflow-actions',
        this.go,
        button('nbflow-button nbflow-quiet', 'Back', 'Back to the task, with nothing changed', () => act.close())
      )
    );
    this.root.addEventListener('submit', event => event.preventDefault());
    this.root.addEventListener('keydown', event => this.key(event));
    this.root.addEventListener('input', () => this.show());
    this.show();
  }

  focus() {
    const first = this.draft.source === null ? this.root.querySelector('input, button') : this.text;
    first.focus({ preventScroll: true });
  }

  area() {
    const area = element('textarea', '');
    area.value = this.draft.source ?? '';
    area.spellcheck = false;
    area.wrap = 'off';
    area.setAttribute('aria-label', `Source of ${this.draft.name}. Tab indents; Escape leaves the editor.`);
    const lines = area.value.split('\n').length;
    area.rows = Math.max(FEWEST_LINES, Math.min(MOST_LINES, lines + 1));
    area.addEventListener('scroll', () => (this.gutter.scrollTop = area.scrollTop));
    area.addEventListener('keydown', event => {
      if (event.key === 'Tab' && !event.shiftKey && !event.ctrlKey && !event.altKey) {
        event.preventDefault();
        area.setRangeText(INDENT, area.selectionStart, area.selectionEnd, 'end');
        this.show();
      }
    });
    return area;
  }

  sheet() {
    this.gutter = element('div', 'nbflow-gutter');
    this.gutter.setAttribute('aria-hidden', 'true');
    return element('div', 'nbflow-sheet', this.gutter, this.text);
  }

  argumentForm() {
    const rows = this.draft.arguments.map(({ name, text, is_literal: isLiteral }) => {
      if (!isLiteral) {
        return [element('dt', '', name), element('dd', 'nbflow-muted', text)];
      }
      const input = element('input', '');
      input.value = text;
      input.spellcheck = false;
      input.setAttribute('aria-label', `Argument ${name}`);
      this.inputs.set(name, { input, text });
      return [element('dt', '', name), element('dd', '', input)];
    });
    return rows.length ? element('dl', 'nbflow-facts nbflow-arguments', ...rows.flat()) : null;
  }

  scope() {
    const { draft } = this;
    const what = blocked => (blocked ? `, and ${counted(blocked)} that ${blocked === 1 ? 'waits' : 'wait'} for it` : '');
    const one = choice('radio', 'scope', `this task${what(draft.blocked)}`);
    const all = choice('radio', 'scope', `all ${counted(draft.alike)} with this ${draft.error}${what(draft.all_blocked)}`);
    one.input.checked = true;
    one.input.hidden = draft.alike === 1;
    const root = element('div', 'nbflow-scope', one.root, draft.alike > 1 ? all.root : null);
    root.setAttribute('role', 'radiogroup');
    root.setAttribute('aria-label', 'What to run again');
    return { root, all: all.input };
  }

  /** The edit as it stands. */
  edit() {
    const { draft, text } = this;
    const changed = [...this.inputs].filter(([, { input, text: before }]) => input.value !== before);
    return {
      task: draft.task,
      source: draft.source === null || text.value === draft.source ? null : text.value,
      arguments: Object.fromEntries(changed.map(([name, { input }]) => [name, input.value])),
      all_alike: this.scopes.all.checked,
      adopt: Boolean(this.keep?.input.checked)
    };
  }

  run() {
    this.go.disabled = true;
    this.trouble.textContent = '';
    this.act.run(this.edit());
  }

  /** Says why the edit could not be run. */
  refuse(why) {
    this.go.disabled = false;
    this.trouble.textContent = why;
    this.trouble.scrollIntoView({ block: 'nearest' });
  }

  /** Shows line numbers, and what is changed. */
  show() {
    const { draft, text } = this;
    const edit = this.edit();
    if (draft.source !== null) {
      const numbers = text.value.split('\n').map((_, line) => {
        const isMarked = edit.source === null && line === draft.marked;
        return element('span', isMarked ? 'nbflow-marked' : '', String(line + 1));
      });
      this.gutter.replaceChildren(...numbers);
    }
    this.changes.replaceChildren(...(edit.source === null ? [] : changedLines(draft.source, edit.source)));
    this.changes.hidden = edit.source === null;
    if (this.keep) {
      this.keep.root.hidden = edit.source === null;
    }
    const isOwn = Object.keys(edit.arguments).length > 0;
    this.scopes.all.disabled = isOwn;
    this.scopes.root.title = isOwn ? 'Arguments are those of one task.' : '';
  }

  key(event) {
    event.stopPropagation(); // the notebook has other plans for these keys
    if (event.key === 'Escape') {
      this.act.close();
    } else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey || event.target.tagName === 'INPUT')) {
      event.preventDefault();
      this.run();
    }
  }
}

function counted(count) {
  return count === 1 ? '1 task' : `${count.toLocaleString()} tasks`;
}

function choice(type, name, label) {
  const input = element('input', '');
  Object.assign(input, { type, name, checked: type === 'checkbox' });
  return { input, root: element('label', 'nbflow-choice', input, element('span', '', label)) };
}

/** The changed lines with a few around them; each has its sign, so that nothing is said by hue alone. */
function changedLines(before, after) {
  const lines = difference(before.trimEnd(), after.trimEnd());
  const isNear = at => lines.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some(([sign]) => sign !== ' ');
  const shown = lines.map(([sign, line], at) => (isNear(at) ? [sign, line] : null));
  const kept = shown.filter((one, at) => one !== null || (at > 0 && shown[at - 1] !== null));
  const classes = { '+': 'nbflow-added', '-': 'nbflow-removed', ' ': '' };
  return kept.map(one => (one ? element('span', classes[one[0]], `${one[0]} ${one[1]}\n`) : element('span', '', '…\n')));
}
