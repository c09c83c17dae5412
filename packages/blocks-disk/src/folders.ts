import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Folders whose names are durable. A new file survives a power cut only when its folder was synced, and that folder's
 * own folder, up to the root; each is made and synced once.
 */
export class Folders {
  readonly #root: string;
  readonly #made = new Map<string, Promise<void>>();

  /** @param root exists and is durable */
  constructor(root: string) {
    this.#root = root;
  }

  /** Makes a folder at or below the root; resolves when it is durable. */
  make(path: string): Promise<void> {
    if (path === this.#root) return Promise.resolve();
    let made = this.#made.get(path);
    if (!made) {
      made = this.#make(path);
      this.#made.set(path, made);
      made.catch(() => this.#made.delete(path));
    }
    return made;
  }

  /** Somebody removed folders: make them anew. */
  forget(): void {
    this.#made.clear();
  }

  async #make(path: string): Promise<void> {
    await this.make(dirname(path));
    await mkdir(path, { recursive: true });
    await syncFolder(dirname(path));
  }
}

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
