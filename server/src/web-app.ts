import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import { TOKEN_COOKIE } from '@playhead/live-gateway';
import type { Projects } from '@playhead/ports';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** Folders of built files, and what the page is told. */
export interface WebAppOptions {
  /** `player/dist`. */
  readonly playerFolder: string;
  /** `recorder/dist`. */
  readonly recorderFolder: string;
  readonly projects: Projects;
  readonly appConfig: () => AppConfig;
}

/** `GET /v1/app-config`: what the web app shows besides sessions. */
export interface AppConfig {
  readonly demoShopUrl?: string;
  readonly writeKey?: string;
}

/**
 * What a browser may load on our pages. Recorded pages are drawn inside of them, in a frame without scripts: their
 * styles are inline, and their pictures, fonts and style sheets come from where the recorded site keeps them.
 */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "connect-src 'self'",
  "style-src 'self' 'unsafe-inline' https: http:",
  'img-src * data: blob:',
  'font-src * data:',
  'media-src * data: blob:',
  "frame-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Serves the web app, the recorder's script and the sign-in link `/?token=...`. */
export async function registerWebApp(app: FastifyInstance, options: WebAppOptions): Promise<void> {
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-content-type-options', 'nosniff').header('referrer-policy', 'no-referrer');
    if (request.method === 'GET' && isPage(request.url)) return signIn(options.projects, request, reply);
    return undefined;
  });

  app.get('/v1/app-config', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
    return options.appConfig();
  });

  app.get('/recorder.js', async (_request, reply) => {
    reply.header('cross-origin-resource-policy', 'cross-origin').header('access-control-allow-origin', '*');
    return reply.sendFile('recorder.js', options.recorderFolder, { maxAge: 300_000 });
  });

  await app.register(fastifyStatic, { root: options.playerFolder, index: false, wildcard: false, cacheControl: false });
  const page = (_request: FastifyRequest, reply: FastifyReply): FastifyReply =>
    reply.header('cache-control', 'no-cache').header('content-security-policy', PAGE_POLICY).sendFile('index.html');
  app.get('/', page);
  app.get('/sessions/:sessionId', page);
}

function isPage(url: string): boolean {
  const path = url.split('?', 1)[0];
  return path === '/' || (path?.startsWith('/sessions/') ?? false);
}

/** A page asked for with a good `token` puts it into a cookie and comes again without it, so that it stays out of history. */
function signIn(projects: Projects, request: FastifyRequest, reply: FastifyReply): FastifyReply | undefined {
  const url = new URL(request.url, 'http://localhost');
  const token = url.searchParams.get('token');
  if (token === null) return undefined;
  if (projects.viewerOfToken(token)) {
    reply.header('set-cookie', `${TOKEN_COOKIE}=${encodeURIComponent(token)}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000`);
  }
  url.searchParams.delete('token');
  return reply.redirect(`${url.pathname}${url.search}`, 303);
}

/** Folders of the workspace, whatever the working directory. */
export function workspaceFolder(...parts: readonly string[]): string {
  return join(import.meta.dirname, '..', '..', ...parts);
}
