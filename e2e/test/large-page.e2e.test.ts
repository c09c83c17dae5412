import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Frame, PositionedFrame, SessionInfo } from '@playhead/schemas';
import { decodeBody, FrameJoiner, isContinuation, LIMITS } from '@playhead/schemas';
import { readProjects } from '@playhead/server/data-directory';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { chromiumPath, launchChromium, NO_CHROMIUM } from '../src/chromium.ts';
import type { ServerProcess } from '../src/server-process.ts';
import { freePorts, startServer } from '../src/server-process.ts';
import type { ViewerClient } from '../src/viewer-client.ts';
import { growing, joinSession, payloadHash } from '../src/viewer-client.ts';

/** Of the keyframe's JSON, at least. */
const KEYFRAME_BYTES = 60_000_000;
const LINE_CHARS = 300;
const LINES = KEYFRAME_BYTES / LINE_CHARS;

/** Runs here and in the page: the text of the page, each line another one, with characters of one, two and three bytes. */
function longText(lines: number, lineChars: number): string {
  const texts: string[] = [];
  for (let number = 0; number < lines; number++) texts.push(`${number} é … `.padEnd(lineChars, String(number * 7919)));
  return texts.join('\n');
}

/** Of a busy machine; no test passes later than it must. */
const WAIT = { timeout: 100_000, interval: 250 };

/**
 * What the process may grow by, by its limits: what one flush gathers, what the viewers of a partition share, and uploads in flight. None of
 * them knows how large a frame is that travels in parts.
 */
const GROWTH_BYTES_MAX = LIMITS.flushBytesMax + LIMITS.windowBytesMax + LIMITS.ingestInFlightBytesMax;

const PAGE = (writeKey: string): string => `<!doctype html>
<title>A long page</title>
<pre id="text" style="display: none"></pre>
<p id="end"></p>
<script>
  const text = (${longText.toString()})(${LINES}, ${LINE_CHARS});
  document.getElementById('text').textContent = text;
  document.getElementById('end').textContent = text.slice(-${LINE_CHARS});
</script>
<script async src="/recorder.js" data-key="${writeKey}"></script>
`;

/** The page's own server, which is also the way to Playhead: what was acknowledged is known here. */
interface Site {
  readonly url: string;
  readonly sessionId: string;
  /** Frames of every upload that was answered with 204, in order. */
  readonly acknowledged: readonly Frame[];
  close(): Promise<void>;
}

async function openSite(server: ServerProcess, writeKey: string): Promise<Site> {
  const acknowledged: Frame[] = [];
  let sessionId = '';
  const http: Server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks);
      if (request.url === '/') {
        response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(PAGE(writeKey));
        return;
      }
      const { method = 'GET', url = '/' } = request;
      const answer = await fetch(new URL(url, server.url), {
        method,
        headers: { 'content-type': request.headers['content-type'] ?? 'text/plain' },
        ...(method === 'POST' ? { body } : {}),
      });
      const upload = /^\/v1\/sessions\/([^/]+)\/uploads/.exec(url);
      if (upload && answer.status === 204) {
        sessionId = upload[1] ?? '';
        acknowledged.push(...decodeBody('frames', gunzipSync(body), { epochMs: 0, receivedAtMs: Date.now() }).frames);
      }
      const headers = [...answer.headers].filter(([name]) => name === 'content-type' || name.startsWith('playhead-'));
      response.writeHead(answer.status, Object.fromEntries(headers)).end(new Uint8Array(await answer.arrayBuffer()));
    })().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/`,
    get sessionId() {
      return sessionId;
    },
    acknowledged,
    async close() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

/** The most that the process has held in memory so far, bytes. */
async function peakBytes(pid: number): Promise<number> {
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1]) * 1024;
}

function joined(frames: readonly PositionedFrame[]): PositionedFrame[] {
  const joiner = new FrameJoiner();
  const taken = frames.map((frame) => joiner.take(frame));
  expect(taken.flatMap(({ incomplete }) => incomplete)).toEqual([]);
  return taken.flatMap(({ frame }) => frame ?? []);
}

/** The longest text in a keyframe. */
function longestText(payload: Uint8Array): string {
  let longest = '';
  JSON.parse(new TextDecoder().decode(payload), (_, value: unknown) => {
    if (typeof value === 'string' && value.length > longest.length) longest = value;
    return value;
  });
  return longest;
}

const missing = chromiumPath ? '' : NO_CHROMIUM;

describe.runIf(missing === '')(`a page whose keyframe has 60 MB${missing && ` (${missing})`}`, () => {
  let folder: string;
  let server: ServerProcess;
  let token: string;
  let site: Site;
  let browser: Browser;
  let page: Page;
  let live: ViewerClient;
  let peakAtStart: number;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'playhead-large-'));
    const [port = 0, shopPort = 0] = await freePorts(2);
    server = await startServer({ data: folder, port, shopPort });
    const { projects } = await readProjects(folder);
    token = projects[0]?.viewers[0]?.token ?? '';
    site = await openSite(server, projects[0]?.writeKey ?? '');
    browser = await launchChromium();
    page = await browser.newPage();
    peakAtStart = await peakBytes(server.pid);
  }, 60_000);

  afterAll(async () => {
    live?.close();
    await browser?.close();
    await site?.close();
    await server?.kill();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  const inParts = (): Frame[] => site.acknowledged.filter(({ part }) => part !== undefined);

  test('is recorded in parts, each of which is acknowledged', async () => {
    await page.goto(site.url);
    await vi.waitFor(() => expect(site.sessionId).not.toBe(''), WAIT);
    live = await joinSession(server.url, token, site.sessionId, 'start');
    await vi.waitFor(() => expect(inParts().at(-1)?.part?.continues).toBe(false), WAIT);
    const parts = inParts();
    expect(parts.reduce((sum, { payload }) => sum + payload.length, 0)).toBeGreaterThan(KEYFRAME_BYTES);
    expect(Math.max(...parts.map(({ payload }) => payload.length))).toBeLessThanOrEqual(LIMITS.framePartBytesMax);
    expect(parts.map(({ keyframe, part }) => [keyframe, part])).toEqual(
      parts.map((_, number) => [number === 0, { number, continues: number < parts.length - 1 }]),
    );
  }, 120_000);

  test('reaches who watches live and who comes later, byte for byte, and is the page', async () => {
    await live.until(({ frames }) => frames.some(({ part }) => part?.continues === false));
    // Into blocks, all of it.
    const stored = async (): Promise<number> => {
      const answer = await fetch(`${server.url}/v1/sessions/${site.sessionId}/blocks?token=${token}`);
      const { blocks } = (await answer.json()) as { blocks: { frames: { part?: object }[] }[] };
      return blocks.flatMap(({ frames }) => frames).filter(({ part }) => part !== undefined).length;
    };
    await vi.waitFor(async () => expect(await stored()).toBe(inParts().length), WAIT);
    const later = await joinSession(server.url, token, site.sessionId, 'start');
    const fromKeyframe = await joinSession(server.url, token, site.sessionId, 'keyframe');
    const hashes = (frames: readonly Frame[]): string[] => frames.map(({ payload }) => payloadHash(payload));
    for (const viewer of [live, later]) {
      await viewer.until(({ frames }) => frames.length >= site.acknowledged.length);
      expect(hashes(viewer.frames.slice(0, site.acknowledged.length))).toEqual(hashes(site.acknowledged));
      expect(growing(viewer.frames.map(({ position }) => position))).toBe(true);
    }
    await fromKeyframe.until(({ frames }) => frames.some(({ part }) => part?.continues === false));
    const [keyframe, again] = [later, fromKeyframe].map(({ frames }) =>
      joined(frames).find(({ payload }) => payload.length > KEYFRAME_BYTES),
    );
    const payload = Buffer.from(keyframe?.payload ?? []);
    expect(payload.equals(again?.payload ?? Uint8Array.of())).toBe(true);
    // Not by the matcher: it would print them.
    expect(longestText(payload) === longText(LINES, LINE_CHARS)).toBe(true);
    later.close();
    fromKeyframe.close();
    const answer = await fetch(`${server.url}/v1/sessions/${site.sessionId}?token=${token}`);
    const { counts } = (await answer.json()) as SessionInfo;
    expect(counts.keyframes).toBe(site.acknowledged.filter(({ keyframe }) => keyframe).length);
    expect(counts.frames).toBe(site.acknowledged.filter((frame) => !isContinuation(frame)).length);
  }, 120_000);

  test('is shown by the player, to its end', async () => {
    await page.close();
    const agent = await browser.newPage();
    agent.setDefaultTimeout(WAIT.timeout);
    await agent.goto(server.link);
    await agent.goto(`${server.url}/sessions/${site.sessionId}`);
    const end = longText(LINES, LINE_CHARS).slice(-LINE_CHARS);
    await vi.waitFor(async () => {
      const shown = await agent.locator('playhead-player').evaluate((player) => {
        const replayed = (player as HTMLElement & { contentDocument(): Document | null }).contentDocument();
        const text = replayed?.getElementById('text')?.textContent ?? '';
        const end = replayed?.getElementById('end');
        return { chars: text.length, last: text.slice(-300), end: end?.innerText, isSeen: (end?.clientHeight ?? 0) > 0 };
      });
      expect(shown).toEqual({ chars: LINES * (LINE_CHARS + 1) - 1, last: end, end, isSeen: true });
    }, WAIT);
  }, 120_000);

  test('is never held as a whole by the server: its memory stays within what ordinary uploads may take', async () => {
    const growth = (await peakBytes(server.pid)) - peakAtStart;
    expect(growth).toBeLessThan(GROWTH_BYTES_MAX);
  });
});
