/**
 * Owns every URL and every call to the Jupyter server; the rest of the extension asks here.
 */

import { PageConfig, URLExt } from '@jupyterlab/coreutils';
import type { INotebookContent } from '@jupyterlab/nbformat';
import type { Contents, ServiceManager } from '@jupyterlab/services';
import { ServerConnection } from '@jupyterlab/services';

import type { BlockNode, Cause, CellTasks, Draft, Edit, Run, RunDetail, Session, Task } from './shapes';

const API = 'nbflow/api';

const RECONNECT_MILLISECONDS = 2000;
const MOST_RECONNECT_MILLISECONDS = 60_000;

/** Where the package installs what it ships beside the bundle. */
const SHIPPED = 'nbflow-labextension/static';

/** Which tasks of a run a command is for; all of them where nothing is said. */
export interface Chosen {
  readonly tasks?: readonly number[];
}

/** What a live run says of itself. */
interface Snapshot {
  readonly executors?: string;
  readonly paused?: { readonly everything?: boolean } | null;
  readonly nodes?: readonly BlockNode[];
}

export class Api {
  constructor(private readonly services: ServiceManager.IManager) {}

  /** Resolves with the kernel that new notebooks get: its name and the name people read. */
  async defaultKernel(): Promise<{ name: string; display_name: string }> {
    await this.services.kernelspecs.ready;
    const specs = this.services.kernelspecs.specs;
    const name = specs?.default ?? 'python3';
    return { name, display_name: specs?.kernelspecs[name]?.display_name ?? name };
  }

  /** Resolves with the notebook that the package ships under `tutorials/`; rejects when it is not there. */
  async shippedTutorial(name: string): Promise<INotebookContent> {
    const settings = this.services.serverSettings;
    const url = URLExt.join(
      settings.baseUrl,
      PageConfig.getOption('labextensionsUrl') || 'lab/extensions',
      SHIPPED,
      'tutorials',
      name
    );
    const response = await ServerConnection.makeRequest(url, {}, settings);
    if (!response.ok) {
      throw new ServerConnection.ResponseError(response, `nbflow ships no tutorial ${name}`);
    }
    return (await response.json()) as INotebookContent;
  }

  /** Writes a notebook under a free name in `folder` and resolves with its path. */
  async saveNewNotebook(folder: string, content: INotebookContent): Promise<string> {
    const { path } = await this.services.contents.newUntitled({ path: folder, type: 'notebook' });
    return this.saveNotebook(path, content);
  }

  /** Writes a notebook at `path` unless something is there already; resolves with the path. */
  async keepOrSaveNotebook(path: string, content: INotebookContent): Promise<string> {
    return (await this.exists(path)) ? path : this.saveNotebook(path, content);
  }

  /** Resolves with the runs of this server's user, newest first. */
  async runs(): Promise<Run[]> {
    const { runs } = await this.ask<{ runs: Run[] }>(['runs']);
    return runs;
  }

  /** Resolves with what a run tells of itself beyond its counts. */
  async detail(run: string): Promise<RunDetail> {
    const { live } = await this.ask<{ live: Snapshot | null }>(['runs', run]);
    return { isPaused: live?.paused?.everything === true, executors: live?.executors ?? '', nodes: live?.nodes ?? [] };
  }

  /** Resolves with the pilots at sites, also those whose Jupyter kernel is gone. */
  async sessions(): Promise<Session[]> {
    return (await this.ask<{ sessions: Session[] }>(['sessions'])).sessions;
  }

  /** Resolves with the names of the sites that are described well. */
  async sites(): Promise<string[]> {
    const { sites } = await this.ask<{ sites: { site: string; problem: string }[] }>(['sites']);
    return sites.filter(({ problem }) => problem === '').map(({ site }) => site);
  }

  /** Asks for pilots that the next kernel of a notebook takes over; resolves when their jobs are submitted. */
  async startSession(site: string, notebook: string): Promise<void> {
    await this.send(['sessions'], { site, notebook });
  }

  /** Ends pilots that no kernel uses. */
  async stopSession(name: string): Promise<void> {
    await this.request(['sessions', name], { method: 'DELETE' });
  }

  /** Resolves with the failed tasks of a run, those that failed alike together. */
  async causes(run: string): Promise<Cause[]> {
    return (await this.ask<{ groups: Cause[] }>(['runs', run, 'failures'])).groups;
  }

  /** Resolves with the newest tasks of a run. */
  async tasks(run: string): Promise<Task[]> {
    return (await this.ask<{ tasks: Task[] }>(['runs', run, 'tasks'])).tasks;
  }

  /** Resolves with the cells of a run's notebook and their tasks, oldest first. */
  async cells(run: string): Promise<CellTasks[]> {
    return (await this.ask<{ cells: CellTasks[] }>(['runs', run, 'cells'])).cells;
  }

  /** Resolves with a run's report as one HTML page. */
  async report(run: string): Promise<string> {
    return (await this.request(['runs', run, 'report'])).text();
  }

  /** Has a live run do a command; rejects with what it says when it refuses. */
  async command(run: string, command: string, given: Chosen | Edit = {}): Promise<void> {
    await this.send(['runs', run, 'commands', command], given);
  }

  /** Resolves with what an editor of a failed task starts from; rejects for a task that cannot be edited. */
  async draft(run: string, task: number): Promise<Draft> {
    return (await (await this.send(['runs', run, 'commands', 'draft'], { task })).json()) as Draft;
  }

  /** Calls `onChange` when a run changes, and again after a lost connection; returns the way to stop that. */
  follow(onChange: () => void): () => void {
    const { wsUrl, token, appendToken, WebSocket } = this.services.serverSettings;
    const url = URLExt.join(wsUrl, API, 'changes') + (appendToken && token ? `?token=${encodeURIComponent(token)}` : '');
    let socket: WebSocket;
    let timer = 0;
    let isOver = false;
    let pause = RECONNECT_MILLISECONDS;
    const open = (): void => {
      socket = new WebSocket(url);
      socket.onopen = () => {
        pause = RECONNECT_MILLISECONDS;
      };
      socket.onmessage = onChange;
      socket.onclose = () => {
        if (!isOver) {
          timer = window.setTimeout(open, pause);
          pause = Math.min(2 * pause, MOST_RECONNECT_MILLISECONDS);
        }
      };
    };
    open();
    return () => {
      isOver = true;
      window.clearTimeout(timer);
      socket.close();
    };
  }

  private async ask<T>(path: string[]): Promise<T> {
    return (await (await this.request(path)).json()) as T;
  }

  private send(path: string[], given: object): Promise<Response> {
    const headers = { 'Content-Type': 'application/json' };
    return this.request(path, { method: 'POST', headers, body: JSON.stringify(given) });
  }

  private async request(path: string[], init: RequestInit = {}): Promise<Response> {
    const settings = this.services.serverSettings;
    const url = URLExt.join(settings.baseUrl, API, ...path.map(encodeURIComponent));
    const response = await ServerConnection.makeRequest(url, init, settings);
    if (!response.ok) {
      throw new ServerConnection.ResponseError(response, await reasonOf(response));
    }
    return response;
  }

  private async saveNotebook(path: string, content: INotebookContent): Promise<string> {
    await this.services.contents.save(path, { type: 'notebook', format: 'json', content });
    return path;
  }

  private async exists(path: string): Promise<boolean> {
    const { dir, base } = split(path);
    const listing: Contents.IModel = await this.services.contents.get(dir, { content: true });
    return (listing.content as Contents.IModel[]).some(entry => entry.name === base);
  }
}

function split(path: string): { dir: string; base: string } {
  const cut = path.lastIndexOf('/');
  return { dir: path.slice(0, Math.max(cut, 0)), base: path.slice(cut + 1) };
}

/** Returns what the server says, or what its silence means. */
async function reasonOf(response: Response): Promise<string> {
  const said = (await response.json().catch(() => null)) as { message?: string } | null;
  if (response.status === 404 && !said?.message) {
    return 'nbflow does not answer on this server: enable it with `jupyter server extension enable nbflow.server`';
  }
  return said?.message ?? `the server answers ${String(response.status)} ${response.statusText}`;
}
