/**
 * Owns the notifications: a run failed, ended, or its process died.
 */

import { Notification } from '@jupyterlab/apputils';

import type { News } from '../models/news';

/** Tells a person, with the way to the run. */
export function notify(news: News, open: (run: string) => void): void {
  const actions = [{ label: 'Show', callback: () => { open(news.run.run); } }];
  if (news.kind === 'failed' || news.run.status === 'died') {
    Notification.error(news.text, { actions, autoClose: false });
  } else {
    Notification.success(news.text, { actions, autoClose: 8000 });
  }
}
