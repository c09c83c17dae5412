import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import type { FastifyInstance } from 'fastify';
import Fastify from 'fastify';

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/**
 * The demo shop: a site of its own origin, as a customer's would be, with the recorder's script tag in its pages.
 *
 * @param folder `recorder/demo`
 * @param tag what the placeholders of the script tag become
 */
export function openDemoShop(folder: string, tag: () => { readonly origin: string; readonly writeKey: string }): FastifyInstance {
  const shop = Fastify({ forceCloseConnections: 'idle' });
  shop.get('/*', async (request, reply) => {
    const path = decodeURIComponent(request.url.split('?', 1)[0] ?? '/');
    const file = normalize(path.endsWith('/') ? `${path}index.html` : path);
    const type = CONTENT_TYPES[extname(file)];
    if (file.includes('..') || type === undefined) return reply.code(404).type('text/plain').send('There is nothing here.');
    const bytes = await readFile(join(folder, file)).catch(() => null);
    if (bytes === null) return reply.code(404).type('text/plain').send('There is nothing here.');
    reply.type(type).header('cache-control', 'no-cache').header('x-content-type-options', 'nosniff');
    if (!file.endsWith('.html')) return bytes;
    const { origin, writeKey } = tag();
    return bytes.toString('utf8').replaceAll('__PLAYHEAD_ORIGIN__', origin).replaceAll('__PLAYHEAD_KEY__', writeKey);
  });
  return shop;
}
