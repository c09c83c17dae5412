import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

/** The recorder as a site gets it: built now, from the sources beside this test. */
export async function buildRecorder(): Promise<string> {
  const outDir = await mkdtemp(join(tmpdir(), 'playhead-recorder-'));
  const configFile = fileURLToPath(new URL('../vite.config.ts', import.meta.url));
  await build({ configFile, root: fileURLToPath(new URL('..', import.meta.url)), logLevel: 'error', build: { outDir, emptyOutDir: true } });
  const script = await readFile(join(outDir, 'recorder.js'), 'utf8');
  await rm(outDir, { recursive: true });
  return script;
}

/** A site of an origin of its own, with the recorder's script beside its pages. */
export class Site {
  readonly pages = new Map<string, string>();
  readonly #script: string;
  #server: Server | null = null;
  origin = '';

  constructor(script: string) {
    this.#script = script;
  }

  async listen(): Promise<void> {
    const server = createServer((request, response) => {
      const path = new URL(request.url ?? '/', 'http://site').pathname;
      const body = path === '/recorder.js' ? this.#script : this.pages.get(path);
      if (body === undefined) response.writeHead(404).end();
      else response.writeHead(200, { 'content-type': path.endsWith('.js') ? 'text/javascript' : 'text/html; charset=utf-8' }).end(body);
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** @param attributes of the script tag, beside key and endpoint */
  page(path: string, endpoint: string, body: string, attributes = '', head = ''): string {
    const tag = `<script async src="/recorder.js" data-key="pk_test_key" data-endpoint="${endpoint}" ${attributes}></script>`;
    this.pages.set(path, `<!doctype html><html lang="en"><head><title>Test ${path}</title>${head}${tag}</head><body>${body}</body></html>`);
    return `${this.origin}${path}`;
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}
