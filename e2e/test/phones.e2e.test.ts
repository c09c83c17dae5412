import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SessionInfo } from '@playhead/schemas';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { chromiumPath, launchChromium, NO_CHROMIUM } from '../src/chromium.ts';
import type { ServerProcess } from '../src/server-process.ts';
import { freePorts, runCommand, startServer } from '../src/server-process.ts';

const PHONES = 3;
const SECONDS = 15;
const WAIT = { timeout: 30_000, interval: 100 };
vi.setConfig({ testTimeout: 90_000 });

/** Colours that the canvas shows at a few places: tells pictures apart, and a blank one from all of them. */
function canvasColours(page: Page): Promise<string> {
  return page.locator('playhead-player canvas').evaluate((element) => {
    const canvas = element as HTMLCanvasElement;
    const draw = canvas.getContext('2d');
    if (!draw || canvas.width === 0) return '';
    const places = [0.04, 0.2, 0.35, 0.5, 0.65, 0.8].map(
      (share) => draw.getImageData(canvas.width * 0.4, canvas.height * share, 1, 1).data,
    );
    return places.every((pixel) => pixel[3] === 0) ? '' : places.map((pixel) => pixel.join(',')).join(' ');
  });
}

describe.runIf(chromiumPath)(`phones that upload pictures${chromiumPath ? '' : ` (${NO_CHROMIUM})`}`, () => {
  let folder: string;
  let server: ServerProcess;
  let browser: Browser;
  let page: Page;
  let simulation: ReturnType<typeof runCommand>;

  const sessions = async (): Promise<SessionInfo[]> =>
    ((await (await page.request.get(`${server.url}/v1/sessions`)).json()) as { sessions: SessionInfo[] }).sessions;

  /** Positions of a session's pictures, by the time at which they were taken. */
  const picturesInOrderOfTime = async (sessionId: string): Promise<string[]> => {
    const answer = await page.request.get(`${server.url}/v1/sessions/${sessionId}/blocks`);
    const { blocks } = (await answer.json()) as { blocks: { frames: { position: string; timestampMs: number }[] }[] };
    const frames = blocks.flatMap((block) => block.frames);
    return frames.toSorted((a, b) => a.timestampMs - b.timestampMs).map((frame) => frame.position);
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'playhead-phones-'));
    const [port = 0, shopPort = 0] = await freePorts(2);
    server = await startServer({ data: join(folder, 'data'), port, shopPort, flags: ['--flush-age-ms', '2000'] });
    browser = await launchChromium();
    page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await page.goto(server.link);
    simulation = runCommand('simulate', [
      '--sessions',
      String(PHONES),
      '--seconds',
      String(SECONDS),
      '--url',
      server.url,
      '--data',
      join(folder, 'data'),
    ]);
  }, 120_000);

  afterAll(async () => {
    await simulation?.catch(() => undefined);
    await browser?.close();
    await server?.kill();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  test('are in the list and live while they upload', async () => {
    await vi.waitFor(
      async () => expect((await sessions()).filter((session) => session.live && session.source === 'phone')).toHaveLength(PHONES),
      WAIT,
    );
    await vi.waitFor(async () => expect(await page.locator('a[href^="/sessions/"]').count()).toBe(PHONES), WAIT);
  });

  test('show live: the picture changes by itself, and is never blank once there was one', async () => {
    await page.locator('a[href^="/sessions/"]').first().click();
    await vi.waitFor(async () => expect(await page.locator('playhead-player').getAttribute('state')).toBe('live'), WAIT);
    await vi.waitFor(async () => expect(await canvasColours(page)).not.toBe(''), WAIT);
    const seen = new Set<string>();
    await vi.waitFor(
      async () => {
        const colours = await canvasColours(page);
        expect(colours).not.toBe('');
        seen.add(colours);
        expect(seen.size).toBeGreaterThan(3);
      },
      { ...WAIT, interval: 50 },
    );
  });

  test('end when they are done, and every picture that was taken is in the session once', async () => {
    const { code, output } = await simulation;
    expect(code).toBe(0);
    const taken = Number(/(\d+) pictures, \d+ bundles acknowledged[^\n]*\n\nDone/.exec(output.replaceAll('\r', '\n'))?.[1]);
    expect(taken).toBeGreaterThan(PHONES * SECONDS * 0.7);
    expect(output).toMatch(/[1-9]\d* sent twice, [1-9]\d* out of order/);
    await vi.waitFor(async () => {
      const all = await sessions();
      expect(all.every((session) => !session.live && session.endReason === 'told')).toBe(true);
      expect(all.reduce((sum, session) => sum + session.counts.images, 0)).toBe(taken);
    }, WAIT);
  });

  test('replay in the same player: the first picture and the last differ, at the places asked for', async () => {
    const [session] = await sessions();
    const pictures = await picturesInOrderOfTime(session?.sessionId ?? '');
    const first = pictures.at(0) ?? '';
    const last = pictures.at(-1) ?? '';
    await page.goto(`${server.url}/sessions/${session?.sessionId}`);
    const player = page.locator('playhead-player');
    await vi.waitFor(async () => expect(await player.getAttribute('state')).toBe('ended'), WAIT);
    await player.focus();
    await page.keyboard.press('Space');

    const shown: string[] = [];
    for (const [key, position] of [
      ['Home', first],
      ['End', last],
      ['Home', first],
    ] as const) {
      await page.keyboard.press(key);
      await vi.waitFor(async () => expect(await player.getAttribute('position')).toBe(position), WAIT);
      shown.push(await canvasColours(page));
    }
    expect(shown[0]).not.toBe('');
    expect(shown[1]).not.toBe(shown[0]);
    expect(shown[2]).toBe(shown[0]);
  });
});
