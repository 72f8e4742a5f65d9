/** Owns the list of failures: one card for each cause, with what can be done about it. */

import { button, element, facts } from './dom.js';

/** Shows the groups of failures that the kernel told of. */
export function showFailures({ groups }, root, view) {
  const cards = groups.map(group => failureCard(group, view));
  const none = element('p', 'nbflow-muted nbflow-empty', 'Nothing has failed.');
  root.replaceChildren(...(cards.length ? cards : [none]));
}

function failureCard(group, view) {
  const { app, error, message, tasks, calls, blocked, reason, place, advice } = group;
  const count = tasks.length === 1 ? '1 task' : `${tasks.length.toLocaleString()} tasks`;
  const waits = blocked ? `, ${blocked.toLocaleString()} more wait${blocked === 1 ? 's' : ''} for ${tasks.length === 1 ? 'it' : 'them'}` : '';
  const links = calls.map((call, number) => {
    const link = button('nbflow-link', '', call, () => view.goTo(tasks[number]));
    link.append(element('code', '', call));
    return element('li', '', link);
  });
  const left = tasks.length - calls.length;
  const rest = left > 0 ? element('li', 'nbflow-muted', `and ${left.toLocaleString()} more`) : null;
  const [first] = tasks;
  const edit = button('nbflow-button', 'Edit and retry', `Edit ${app} and retry`, () => {
    view.goTo(first);
    view.link.send({ kind: 'draft', task: first });
  });
  const retry = button('nbflow-button', tasks.length === 1 ? 'Retry' : `Retry all ${tasks.length.toLocaleString()}`, `Retry ${count} of ${app}`, () =>
    view.link.send({ kind: 'retry', tasks })
  );
  return element(
    'section',
    'nbflow-failure',
    element('h4', '', `${app} · ${error || 'failed'}`),
    element('p', 'nbflow-error', message),
    facts([['reason', reason], ['where', element('code', '', place)], ['in Python', element('code', '', advice)]]),
    element('p', 'nbflow-muted', count + waits),
    element('ul', 'nbflow-tasks', ...links, rest),
    element('div', 'nbflow-actions', edit, retry)
  );
}
