/**
 * Owns how a failure is shown to the person whose action it was.
 */

import { showErrorMessage } from '@jupyterlab/apputils';

import { told } from '../models/trouble';

/** Does something; shows why it could not be done, with `title` to say what that is. */
export async function attempt<T>(title: string, action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    await showErrorMessage(`nbflow: ${title}`, told(error));
    return undefined;
  }
}
