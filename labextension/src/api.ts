/**
 * Owns every URL and every call to the Jupyter server; the rest of the extension asks here.
 */

import { PageConfig, URLExt } from '@jupyterlab/coreutils';
import type { INotebookContent } from '@jupyterlab/nbformat';
import type { Contents, ServiceManager } from '@jupyterlab/services';
import { ServerConnection } from '@jupyterlab/services';

/** Where the package installs what it ships beside the bundle. */
const SHIPPED = 'nbflow-labextension/static';

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
