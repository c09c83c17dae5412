import { chromiumPath, launchChromium, NO_CHROMIUM } from '@playhead/e2e/chromium';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Answer } from './ingest-double.ts';
import { IngestDouble, until } from './ingest-double.ts';
import { buildRecorder, Site } from './site.ts';

/** A page that never rests. */
const BUSY = `
  <h1>Shop</h1><p id="out"></p>
  <script>let n = 0; setInterval(() => { document.getElementById('out').textContent = 'tick ' + ++n; }, 50);</script>`;
const QUIET = `
  <h1>Shop</h1><button id="b">press</button><p id="out"></p>
  <script>let n = 0; document.getElementById('b').onclick = () => { document.getElementById('out').textContent = 'pressed ' + ++n; };</script>`;

const WATCHED: Answer = { status: 204, headers: { 'playhead-flush-ms': '250', 'playhead-keyframe': 'watch-1' } };

describe.runIf(chromiumPath)(`hearing of a watch in a browser${chromiumPath ? '' : ` (${NO_CHROMIUM})`}`, () => {
  let script = '';
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let ingest: IngestDouble;
  let site: Site;
  let errors: string[] = [];

  beforeAll(async () => {
    script = await buildRecorder();
    browser = await launchChromium();
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    ingest = new IngestDouble();
    ingest.config = { flushMs: 5_000 };
    site = new Site(script);
    const endpoint = await ingest.listen();
    await site.listen();
    site.page('/busy', endpoint, BUSY);
    site.page('/quiet', endpoint, QUIET);
    context = await browser.newContext();
    page = await context.newPage();
    errors = [];
    page.on('pageerror', (error) => errors.push(String(error)));
  });
  afterEach(async () => {
    await context.close();
    await site.close();
    await ingest.close();
    if (errors.length > 0) throw new Error(`the page had errors: ${errors.join('; ')}`);
  });

  const open = async (path: string): Promise<void> => {
    await page.goto(`${site.origin}${path}`);
    await until('a held request', () => ingest.held.length === 1);
  };
  const watch = (): void => {
    ingest.answer = () => WATCHED;
    ingest.answerWatch = () => WATCHED;
    ingest.wake();
  };
  const hide = (state: 'hidden' | 'visible'): Promise<void> =>
    page.evaluate((value) => {
      Object.defineProperty(document, 'visibilityState', { value, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, state);

  test('[RC30] a busy window does not wait for its flush interval when the watch begins, sends a keyframe, and goes on in its pace', async () => {
    await open('/busy');
    // Just after a batch: the next one would be five seconds away.
    const before = ingest.uploads.length;
    await until('a batch', () => ingest.uploads.length > before);
    await page.waitForTimeout(300);
    const fromMs = Date.now();
    watch();
    const next = await until('a flush', () => ingest.uploads.find((upload) => upload.receivedAtMs >= fromMs));
    expect(next.receivedAtMs - fromMs).toBeLessThan(5_000 / 2);
    const keyframe = await until('a keyframe', () =>
      ingest.uploads.find((upload) => upload.receivedAtMs >= fromMs && upload.frames.some((frame) => frame.keyframe)),
    );
    expect(keyframe.receivedAtMs - fromMs).toBeLessThan(5_000 / 2);
    await until('live pace', () => ingest.uploads.filter((upload) => upload.receivedAtMs > fromMs).length >= 5, 4_000);
    expect(ingest.uploads.flatMap(({ frames }) => frames).filter((frame) => frame.keyframe)).toHaveLength(2);
    expect(ingest.watches.map(({ method }) => method)).toEqual(['GET']);
    expect(ingest.held).toEqual([]);
    expect(ingest.preflights).toBe(0);
  });

  test('[RC30] a quiet window sends a keyframe when the watch begins', async () => {
    await open('/quiet');
    const fromMs = Date.now();
    watch();
    const next = await until('a flush', () => ingest.uploads.find((upload) => upload.receivedAtMs >= fromMs));
    expect(next.receivedAtMs - fromMs).toBeLessThan(5_000);
    expect(next.frames.some((frame) => frame.keyframe)).toBe(true);
  });

  test('[RC31] nothing is held while replies say that somebody watches; when they stop saying so one request is held again', async () => {
    await open('/busy');
    ingest.answer = () => WATCHED;
    // Learnt through an upload: the request that is held is given up.
    await until('the end of the request', () => ingest.held.length === 0);
    expect(ingest.watches[0]?.status).toBeUndefined();
    const seen = ingest.uploads.length;
    await until('live uploads', () => ingest.uploads.length > seen + 4);
    expect(ingest.watches).toHaveLength(1);
    ingest.answer = () => ({ status: 204 });
    await until('another request', () => ingest.held.length === 1);
    expect(ingest.watches).toHaveLength(2);
  });

  test('[RC31] the request ends when the page is hidden, left or not recorded any more; a visible page holds one again', async () => {
    await open('/quiet');
    await hide('hidden');
    await until('nothing held', () => ingest.held.length === 0);
    await hide('visible');
    await until('one held', () => ingest.held.length === 1);
    await page.goto(`${site.origin}/busy`);
    await until('that of the next page', () => ingest.watches.length === 3 && ingest.held.length === 1);
    expect(ingest.held[0]).toBe(ingest.watches[2]);
    await page.evaluate(() => window.playhead?.stop());
    await until('nothing held', () => ingest.held.length === 0);
    expect(ingest.watches.every(({ status }) => status === undefined)).toBe(true);
  });

  test('[RC31] of an ended session the request tells it too: what comes next belongs to a new one', async () => {
    await open('/quiet');
    ingest.answerWatch = (seen) => (seen === ingest.watches[0] ? { status: 204, headers: { 'playhead-session': 'ended' } } : undefined);
    ingest.wake();
    await until('the answer', () => ingest.watches[0]?.status === 204);
    await page.click('#b');
    const next = await until('a new session', () => ingest.stored.find((upload) => upload.sessionId !== ingest.stored[0]?.sessionId));
    expect(next.frames.some((frame) => frame.keyframe)).toBe(true);
    await until('a request for it', () => ingest.held.length === 1);
    expect(ingest.watches.map(({ sessionId }) => sessionId)).toEqual([ingest.stored[0]?.sessionId, next.sessionId]);
  });

  test('[RC32] an ingest that does not know the request is not asked again, and one that is overloaded after a pause; uploads go on', async () => {
    ingest.config = { flushMs: 200 };
    ingest.answerWatch = () => ({ status: 404 });
    await page.goto(`${site.origin}/busy`);
    await until('uploads', () => ingest.uploads.length > 8);
    expect(ingest.watches).toHaveLength(1);

    ingest.answerWatch = () => ({ status: 503, headers: { 'retry-after': '1' } });
    await page.goto(`${site.origin}/busy`);
    await until('three requests', () => ingest.watches.length >= 4, 15_000);
    const [, first, second, third] = ingest.watches.map(({ askedAtMs }) => askedAtMs);
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(1_000);
    expect((third ?? 0) - (second ?? 0)).toBeGreaterThanOrEqual(1_000);
    expect(ingest.uploads.every(({ status }) => status === 204)).toBe(true);
  });

  test('[RC32] one that answers emptily at once is not asked without a pause; one that does not answer at all harms nothing', async () => {
    ingest.answerWatch = () => ({ status: 204 });
    await page.goto(`${site.origin}/busy`);
    await until('the first request', () => ingest.watches.length > 0);
    await page.waitForTimeout(2_000);
    expect(ingest.watches.length).toBeLessThanOrEqual(3);
    ingest.answerWatch = () => ({ status: 0 });
    const before = ingest.uploads.length;
    await until('an upload', () => ingest.uploads.length > before);
    expect(ingest.uploads.every(({ status }) => status === 204)).toBe(true);
  });
});
