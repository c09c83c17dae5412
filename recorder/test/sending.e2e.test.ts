import { chromiumPath, launchChromium, NO_CHROMIUM } from '@playhead/e2e/chromium';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { IngestDouble, jsonOf, until } from './ingest-double.ts';
import { buildRecorder, Site } from './site.ts';

const PAGE = `
  <h1>Shop</h1><button id="b">press</button><button id="big">big</button><p id="out"></p>
  <script>
    let n = 0;
    const out = document.getElementById('out');
    document.getElementById('b').onclick = () => { out.textContent = 'pressed ' + ++n; };
    // Text that does not compress: what is too large for a beacon.
    document.getElementById('big').onclick = () => {
      let text = '';
      while (text.length < 150000) text += Math.random().toString(36).slice(2);
      out.textContent = 'big ' + text;
    };
  </script>`;

describe.runIf(chromiumPath)(`sending from a browser${chromiumPath ? '' : ` (${NO_CHROMIUM})`}`, () => {
  let script = '';
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let ingest: IngestDouble;
  let site: Site;
  let errors: string[] = [];
  let endpoint = '';

  beforeAll(async () => {
    script = await buildRecorder();
    browser = await launchChromium();
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    ingest = new IngestDouble();
    site = new Site(script);
    endpoint = await ingest.listen();
    await site.listen();
    site.page('/', endpoint, PAGE);
    site.page('/two', endpoint, PAGE);
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

  const keyframes = (): number => ingest.frames.filter((frame) => frame.keyframe).length;
  const shows = (text: string): boolean => ingest.frames.some((frame) => JSON.stringify(jsonOf(frame)).includes(text));
  const started = async (): Promise<void> => {
    await page.goto(`${site.origin}/`);
    await until('the first keyframe', () => keyframes() > 0);
  };

  test('[RC6] a keyframe is one frame of Meta and FullSnapshot, and the first DOM frame of a page', async () => {
    await started();
    const first = ingest.frames.find((frame) => frame.track === 'dom');
    expect(first?.keyframe).toBe(true);
    const [meta, full] = jsonOf(first ?? ingest.frames[0]!) as [{ type: number; data: { href: string } }, { type: number }];
    expect([meta.type, full.type]).toEqual([4, 2]);
    expect(meta.data.href).toBe(`${site.origin}/`);
    expect(ingest.uploads[0]?.facts).toMatchObject({ source: 'web', url: `${site.origin}/`, title: 'Test /' });
    expect(ingest.uploads[0]?.contentType).toBe('text/plain');
  });

  test('[RC23] what is not acknowledged is sent again with the same identity and the same bytes, in order, and nothing overtakes it', async () => {
    await started();
    let failures = 0;
    const refusals = [0, 503, 429];
    ingest.answer = () =>
      failures < refusals.length ? { status: refusals[failures++] ?? 503, headers: { 'retry-after': '1' } } : { status: 204 };
    const before = ingest.uploads.length;
    await page.click('#b');
    await until('three failures', () => failures === 3);
    await page.click('#b');
    await until('both presses', () => shows('pressed 2'), 20_000);
    const tries = ingest.uploads.slice(before);
    const again = tries.filter((upload) => upload.uploadId === tries[0]?.uploadId);
    expect(again.map((upload) => upload.status)).toEqual([0, 503, 429, 204]);
    expect(new Set(again.map((upload) => upload.bytes)).size).toBe(1);
    const counters = tries.map((upload) => upload.counter);
    expect(counters).toEqual(counters.toSorted((a, b) => a - b));
    // Retry-After was kept to.
    expect((again[2]?.receivedAtMs ?? 0) - (again[1]?.receivedAtMs ?? 0)).toBeGreaterThanOrEqual(950);
  });

  test('[RC20] the first frame after a quiet time does not wait for the flush interval', async () => {
    ingest.config = { flushMs: 5_000 };
    await started();
    const quietFromMs = Date.now();
    await until('more than a flush of quiet', () => Date.now() - quietFromMs > 5_500);
    const clickedAtMs = Date.now();
    await page.click('#b');
    await until('the press', () => shows('pressed 1'));
    expect(Date.now() - clickedAtMs).toBeLessThan(5_000);
  });

  test('[RC24] a watched window flushes as often as replies ask for, and slows down when they stop asking', async () => {
    ingest.config = { flushMs: 4_000 };
    await started();
    ingest.answer = () => ({ status: 204, headers: { 'playhead-flush-ms': '250' } });
    await page.click('#b');
    await until('the press', () => shows('pressed 1'));
    const before = ingest.uploads.length;
    const fromMs = Date.now();
    let presses = 1;
    while (Date.now() - fromMs < 2_000) {
      await page.click('#b');
      presses++;
    }
    await until('the last press', () => shows(`pressed ${presses}`), 2_000);
    const gaps = ingest.uploads
      .slice(before)
      .map((upload, index, all) => (index === 0 ? 0 : upload.receivedAtMs - (all[index - 1]?.receivedAtMs ?? 0)));
    expect(gaps.length).toBeGreaterThan(4);
    // Most of them far below the configured interval, however busy the machine is.
    expect(gaps.toSorted((a, b) => a - b)[Math.floor(gaps.length / 2)]).toBeLessThan(4_000 / 2);
    ingest.answer = () => ({ status: 204 });
    await page.click('#b');
    await until('one more', () => shows(`pressed ${presses + 1}`));
    const slowFrom = ingest.uploads.length;
    const slowFromMs = Date.now();
    while (Date.now() - slowFromMs < 1_500) await page.click('#b');
    expect(ingest.uploads.length - slowFrom).toBeLessThanOrEqual(1);
  });

  test('[RC25] a watch gets one keyframe, however often replies name it; another watch gets another', async () => {
    await started();
    ingest.answer = () => ({ status: 204, headers: { 'playhead-keyframe': 'watch-1', 'playhead-flush-ms': '250' } });
    const before = keyframes();
    await page.click('#b');
    await until('a keyframe', () => keyframes() === before + 1);
    for (let i = 0; i < 4; i++) {
      const uploads = ingest.uploads.length;
      await page.click('#b');
      await until('an upload', () => ingest.uploads.length > uploads);
    }
    expect(keyframes()).toBe(before + 1);
    ingest.answer = () => ({ status: 204, headers: { 'playhead-keyframe': 'watch-2' } });
    await page.click('#b');
    await until('another keyframe', () => keyframes() === before + 2);
  });

  test('[RC26] what waits when the tab is closed has left with it, and an upload without an answer is sent again as itself', async () => {
    ingest.config = { flushMs: 60_000 };
    await started();
    await page.click('#b');
    const before = ingest.uploads.length;
    ingest.answer = (upload) =>
      ingest.uploads.some((other) => other.uploadId === upload.uploadId) ? { status: 204 } : { status: 0, delayMs: 60_000 };
    await page.evaluate(() => window.playhead?.identify('ann'));
    await until('an upload that hangs', () => ingest.uploads.length > before);
    const hanging = ingest.uploads[before];
    ingest.answer = () => ({ status: 204 });
    await page.click('#b');
    await page.close({ runBeforeUnload: true });
    await until('the goodbye', () => ingest.stored.some((upload) => upload.goodbye));
    await until('the last press', () => shows('pressed 2'));
    const again = ingest.uploads.filter((upload) => upload.uploadId === hanging?.uploadId);
    expect(again.length).toBe(2);
    expect(again[1]?.bytes).toBe(again[0]?.bytes);
  });

  test('[RC26] what is too large to leave with the page comes with the next page of the tab, as itself', async () => {
    ingest.config = { flushMs: 60_000 };
    await started();
    await page.evaluate(() => {
      document.getElementById('big')?.click();
      // Mutations are told in a microtask; then the page goes.
      setTimeout(() => location.assign('/two'));
    });
    await page.waitForURL('**/two');
    await until('the large frame', () => shows('big '), 15_000);
    const large = ingest.stored.find((upload) => upload.frames.some((frame) => frame.payload.length > 100_000 && !frame.keyframe));
    const next = await until('the next page', () => ingest.stored.find((upload) => upload.facts['url']?.endsWith('/two')));
    expect(next.windowId).toBe(large?.windowId);
    expect(next.counter).toBeGreaterThan(large?.counter ?? next.counter);
    expect(ingest.stored.some((upload) => upload.goodbye)).toBe(true);
    expect(await page.evaluate(() => Object.keys(sessionStorage).filter((key) => key.startsWith('playhead.kept')))).toEqual([]);
  });

  test('[RC27] a quiet window says that it is there', async () => {
    ingest.config = { heartbeatMs: 1_000 };
    await started();
    const beat = await until('a heartbeat', () => ingest.stored.find((upload) => upload.frames.length === 0));
    expect(beat.sessionId).toBe(ingest.stored[0]?.sessionId);
  });

  test('[RC29] a key that may not record stops the recorder; an ingest that is not there does not disturb the page', async () => {
    ingest.answerStart = () => ({ status: 401 });
    await page.goto(`${site.origin}/`);
    await until('the refusal', () => ingest.starts.length > 0);
    await page.click('#b');
    await page.waitForTimeout(500);
    expect(ingest.starts).toHaveLength(1);

    site.page('/gone', 'http://127.0.0.1:9', PAGE);
    await page.goto(`${site.origin}/gone`);
    await page.click('#b');
    expect(await page.textContent('#out')).toBe('pressed 1');
    expect(await page.evaluate(() => typeof window.playhead?.sessionId)).toBe('string');
  });

  test('[RC29] a page without storage and with a strict policy is recorded, and goes on as if nothing were there', async () => {
    await context.addInitScript(() => {
      Object.defineProperty(window, 'localStorage', {
        get: () => {
          throw new DOMException('no', 'SecurityError');
        },
      });
      Object.defineProperty(window, 'sessionStorage', {
        get: () => {
          throw new DOMException('no', 'SecurityError');
        },
      });
      Object.defineProperty(window, 'requestIdleCallback', { value: undefined });
    });
    const policy = `default-src 'none'; script-src 'self' 'unsafe-inline'; connect-src ${endpoint}`;
    site.page('/', endpoint, PAGE, '', `<meta http-equiv="Content-Security-Policy" content="${policy}">`);
    await started();
    await page.click('#b');
    await until('the press', () => shows('pressed 1'));
    expect(await page.textContent('#out')).toBe('pressed 1');
  });
});
