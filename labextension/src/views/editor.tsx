/**
 * Owns the editing of a failed task: its function, its arguments, and which tasks run again so. It goes by the
 * server, so that it works while a cell blocks, whatever the Jupyter kernel can do meanwhile.
 */

import * as React from 'react';

import { number } from '../models/counts';
import { told } from '../models/trouble';
import type { Draft, Edit } from '../shapes';
import type { Part } from './part';

/** Texts of arguments by name, as they were typed. */
type Given = Readonly<Record<string, string>>;

const FEWEST_LINES = 6;
const MOST_LINES = 24;
const MOST_CHOICES = 200;

interface Editing extends Part {
  readonly tasks: readonly number[];
  readonly close: () => void;
}

/** Edits one of some tasks that failed alike, the first one to begin with. */
export function Editor({ tasks, ...editing }: Editing): JSX.Element {
  const { api, run, close } = editing;
  const [task, choose] = React.useState(tasks[0]);
  const [draft, take] = React.useState<Draft | null>(null);
  const [problem, tell] = React.useState('');
  React.useEffect(() => {
    let isOver = false;
    take(null);
    tell('');
    if (task !== undefined) {
      api.draft(run.run, task).then(
        answer => { if (!isOver) { take(answer); } },
        (error: unknown) => { if (!isOver) { tell(told(error)); } }
      );
    }
    return () => { isOver = true; };
  }, [run.run, task]);
  return (
    <div className="nbflow-lab-editor" onKeyDown={event => { leaveOnEscape(event, close); }}>
      {tasks.length > 1 && (
        <label>
          {'Task '}
          <select value={task} onChange={event => { choose(Number(event.target.value)); }}>
            {tasks.slice(0, MOST_CHOICES).map(each => (
              <option key={each} value={each}>
                {each}
              </option>
            ))}
          </select>
        </label>
      )}
      {problem !== '' && <p className="nbflow-lab-problem" role="alert">{problem}</p>}
      {draft !== null && <Form key={draft.task} draft={draft} {...editing} />}
      {draft === null && (
        <button type="button" className="nbflow-lab-button" onClick={close}>
          Back
        </button>
      )}
    </div>
  );
}

function Form({ draft, runs, run, close }: Omit<Editing, 'tasks'> & { draft: Draft }): JSX.Element {
  const [source, write] = React.useState(draft.source ?? '');
  const [given, give] = React.useState<Given>({});
  const [isForAll, setForAll] = React.useState(false);
  const [isUnderWay, setUnderWay] = React.useState(false);
  const [problem, tell] = React.useState('');
  const own = changed(draft, given);
  const runAgain = async (): Promise<void> => {
    setUnderWay(true);
    try {
      await runs.command(run, 'edit', editOf(draft, source, own, isForAll));
      close();
    } catch (error) {
      tell(told(error));
      setUnderWay(false);
    }
  };
  return (
    <form
      className="nbflow-lab-editor-form"
      onSubmit={event => { event.preventDefault(); void runAgain(); }}
      onKeyDown={event => {
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
          event.preventDefault();
          void runAgain();
        }
      }}
    >
      {draft.source === null ? <p className="nbflow-lab-muted">{draft.why_not}</p> : <Source {...{ draft, source, write }} />}
      <Arguments {...{ draft, given, give }} />
      {draft.alike > 1 && <Scope {...{ draft, isForAll, setForAll }} isOwn={Object.keys(own).length > 0} />}
      <p className="nbflow-lab-muted">The text of the notebook&apos;s cell stays as it is.</p>
      {problem !== '' && <p className="nbflow-lab-problem" role="alert">{problem}</p>}
      <div className="nbflow-lab-actions">
        <button type="submit" className="nbflow-lab-button nbflow-lab-main" title="Ctrl+Enter" disabled={isUnderWay}>
          Run again
        </button>
        <button type="button" className="nbflow-lab-button" onClick={close}>
          Back
        </button>
      </div>
    </form>
  );
}

function Source(props: { draft: Draft; source: string; write: (text: string) => void }): JSX.Element {
  const { draft, source, write } = props;
  return (
    <textarea
      autoFocus
      aria-label={`Source of ${draft.name}`}
      spellCheck={false}
      wrap="off"
      rows={Math.max(FEWEST_LINES, Math.min(MOST_LINES, source.split('\n').length + 1))}
      value={source}
      onChange={event => { write(event.target.value); }}
    />
  );
}

function Arguments(props: {
  draft: Draft;
  given: Given;
  give: (given: Given) => void;
}): JSX.Element | null {
  const { draft, given, give } = props;
  if (draft.arguments.length === 0) {
    return null;
  }
  return (
    <dl className="nbflow-lab-cause-facts">
      {draft.arguments.map(({ name, text, is_literal: isLiteral }) => (
        <React.Fragment key={name}>
          <dt>{name}</dt>
          <dd className={isLiteral ? '' : 'nbflow-lab-muted'}>
            {isLiteral ? (
              <input
                aria-label={`Argument ${name}`}
                spellCheck={false}
                value={given[name] ?? text}
                onChange={event => { give({ ...given, [name]: event.target.value }); }}
              />
            ) : (
              text
            )}
          </dd>
        </React.Fragment>
      ))}
    </dl>
  );
}

function Scope(props: { draft: Draft; isForAll: boolean; setForAll: (is: boolean) => void; isOwn: boolean }): JSX.Element {
  const { draft, isForAll, setForAll, isOwn } = props;
  const choice = (isAll: boolean, label: string): JSX.Element => (
    <label>
      <input
        type="radio"
        name="nbflow-scope"
        checked={isAll === (isForAll && !isOwn)}
        disabled={isAll && isOwn}
        onChange={() => { setForAll(isAll); }}
      />
      {label}
    </label>
  );
  return (
    <div className="nbflow-lab-scope" role="radiogroup" aria-label="What to run again">
      {choice(false, `this task${waiting(draft.blocked)}`)}
      {choice(true, `all ${number(draft.alike)} tasks with this ${draft.error}${waiting(draft.all_blocked)}`)}
      {isOwn && <span className="nbflow-lab-muted">Arguments are those of one task.</span>}
    </div>
  );
}

function editOf(draft: Draft, source: string, own: Given, isForAll: boolean): Edit {
  const hasOwn = Object.keys(own).length > 0;
  return {
    task: draft.task,
    ...(draft.source === null || source === draft.source ? {} : { source }),
    ...(hasOwn ? { arguments: own } : {}),
    all_alike: isForAll && !hasOwn
  };
}

function changed(draft: Draft, given: Given): Given {
  const before = new Map(draft.arguments.map(({ name, text }) => [name, text]));
  return Object.fromEntries(Object.entries(given).filter(([name, text]) => text !== before.get(name)));
}

function waiting(count: number): string {
  return count === 0 ? '' : `, and ${number(count)} that ${count === 1 ? 'waits' : 'wait'} for it`;
}

function leaveOnEscape(event: React.KeyboardEvent, close: () => void): void {
  event.stopPropagation(); // JupyterLab has other plans for these keys
  if (event.key === 'Escape') {
    close();
  }
}
