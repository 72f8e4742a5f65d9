/** Owns what the panel is about, and what its buttons ask of the kernel; `Details` shows it. */

import { Details } from './details.js';
import { Editor } from './editor.js';
import { addCell, hasText, replaceText, scrollToCell } from './notebook.js';

const RELOOK_MILLISECONDS = 2000; // a running task writes without a change of its state

export class Drawer {
  /** `view` has `store`, `link`, `say(text)`, `goTo(task, app)` and `back()`. */
  constructor(view) {
    this.view = view;
    this.subject = null; // { task, app, seenIn }; task 0 is all of the app
    const { link } = view;
    this.details = new Details(view.store.looks, {
      retry: tasks => link.send({ kind: 'retry', tasks }),
      edit: task => link.send({ kind: 'draft', task }),
      look: task => link.send({ kind: 'look', task }),
      cancel: tasks => link.send({ kind: 'cancel', tasks }),
      scroll: cell => this.scroll(cell),
      show: (task, app) => view.goTo(task, app),
      toggle: app => link.send({ kind: 'toggle', app }),
      close: () => view.back()
    });
    this.root = this.details.root;
    // What came while a button was held down was put off, for its click.
    this.root.addEventListener('pointerup', () => setTimeout(() => this.refresh()));
    this.looking = setInterval(() => this.lookAgain(), RELOOK_MILLISECONDS);
  }

  get isOpen() {
    return !this.root.hidden;
  }

  /** Asks the kernel about a task, or about an app when the task is 0. */
  ask({ task, app }) {
    const { store, link } = this.view;
    this.details.leaveInside();
    this.subject = { task, app, seenIn: store.changedIn[store.markOf({ task, app })] };
    link.send(asking(task, app));
  }

  /** Asks again when anything happened to the subject since: a retry may end in the same state. */
  refresh() {
    const { store } = this.view;
    const mark = this.subject && store.markOf(this.subject);
    const isKnown = mark !== null && mark !== undefined;
    if (isKnown && !store.past && !this.details.isAway && store.changedIn[mark] !== this.subject.seenIn) {
      this.ask(this.subject);
    }
  }

  lookAgain() {
    const isShown = this.isOpen && this.subject?.task && !this.view.store.isLost && this.root.offsetParent;
    if (isShown && this.details.isRunning && !this.root.matches(':hover:active')) {
      this.view.link.post({ kind: 'story', task: this.subject.task });
    }
  }

  close() {
    this.subject = null;
    this.details.close();
  }

  /** Ends the drawer with its view. */
  end() {
    clearInterval(this.looking);
  }

  /** Takes a message of the kernel. */
  answer(content) {
    const isStory = ['story', 'card', 'file'].includes(content.kind);
    if (!this.subject || (isStory && this.details.isAway)) {
      return;
    }
    if (isStory && this.root.matches(':active')) {
      this.subject.seenIn = -1; // a click needs its button to stay until the pointer is up
      return;
    }
    if (content.kind === 'card' && this.subject.task === 0 && this.subject.app === content.app) {
      this.details.showApp(content);
    } else if (this.subject.task && this.subject.task === content.task) {
      this.answerAboutTask(content);
    }
  }

  answerAboutTask(content) {
    if (content.kind === 'story') {
      this.subject.app = content.app_id;
      this.details.showTask(content);
    } else if (content.kind === 'file') {
      this.details.showFile(content);
    } else if (content.kind === 'inside') {
      this.showInside(content);
    } else if (content.kind === 'draft') {
      this.openEditor(content);
    } else if (content.kind === 'edited') {
      this.takeEdited(content);
    }
  }

  scroll(cell) {
    if (!scrollToCell(this.view.link.model, cell, this.root)) {
      this.view.say('That cell is not in this notebook any more.');
    }
  }

  /** Shows the record of a failure in place of the task's story. */
  showInside(content) {
    const source = `import nbflow\nnbflow.capsule("${content.run}", ${content.task}).debug()`;
    const act = {
      back: () => this.ask(this.subject),
      debug: () => {
        if (!addCell(this.view.link.model, this.root, source)) {
          this.view.say(source.split('\n')[1]);
        }
      }
    };
    this.details.showInside(content, act);
  }

  /** Lets a person edit a task in place of its story. */
  openEditor(draft) {
    const { link } = this.view;
    const canKeep = draft.source !== null && draft.cell && hasText(link.model, draft.cell, draft.source.trimEnd());
    const act = {
      run: edit => {
        this.edit = edit;
        link.send({ kind: 'edit', ...edit });
      },
      close: () => this.leaveEditor()
    };
    this.draft = draft;
    this.details.showEditor(draft, new Editor(draft, act, canKeep));
  }

  /** Goes back to the story of the task. */
  leaveEditor() {
    this.details.leaveEditor();
    this.ask(this.subject);
  }

  /** Takes what the kernel says to an edit: it runs now, or it cannot. */
  takeEdited({ error, is_adopted: isAdopted }) {
    if (error) {
      this.details.editor?.refuse(error);
      return;
    }
    const { draft, edit } = this;
    if (edit.adopt && edit.source !== null) {
      const { model } = this.view.link;
      const isKept = replaceText(model, draft.cell, draft.source.trimEnd(), edit.source.trimEnd());
      if (!isKept || !isAdopted) {
        this.view.say(`Only these tasks have the change: run ${draft.defined_in} again for later calls of ${draft.name}.`);
      }
    }
    this.leaveEditor();
  }
}

/** What to ask about a task, a file (its number, negative), or an app (task 0). */
function asking(task, app) {
  if (task < 0) {
    return { kind: 'file', file: -task };
  }
  return task ? { kind: 'story', task } : { kind: 'card', app };
}
