import { chromiumPath, launchChromium, NO_CHROMIUM } from '@playhead/e2e/chromium';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SeenUpload } from './ingest-double.ts';
import { IngestDouble, jsonOf, until } from './ingest-double.ts';
import { buildRecorder, Site } from './site.ts';

const PAGE = `
  <h1>Shop</h1><a id="next" href="/two">next</a><button id="b">press</button><p id="out"></p>
  <script>let n = 0; document.getElementById('b').onclick = () => { document.getElementById('out').textContent = 'pressed ' + ++n; };</script>`;

/** In order of the counters: what leaves with a page may overtake what left before it. */
function countersOf(uploads: readonly SeenUpload[], windowId: string): number[] {
  const counters = uploads.filter((upload) => upload.windowId === windowId).map((upload) => upload.counter);
  return counters.toSorted((a, b) => a - b);
}

describe.runIf(chromiumPath)(`sessions and windows in a browser${chromiumPath ? '' : ` (${NO_CHROMIUM})`}`, () => {
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
    site = new Site(script);
    const endpoint = await ingest.listen();
    await site.listen();
    site.page('/', endpoint, PAGE);
    site.page('/two', endpoint, PAGE.replace('/two', '/'));
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

  const keyframesOf = (windowId: string): number =>
    ingest.stored.filter((upload) => upload.windowId === windowId).flatMap((upload) => upload.frames.filter((frame) => frame.keyframe))
      .length;

  test('[RC10] page loads of a tab are one window of one session, its counters go on, and nothing is sent twice as two things', async () => {
    await page.goto(`${site.origin}/`);
    await until('the first page', () => ingest.frames.some((frame) => frame.keyframe));
    await page.click('#b');
    await page.click('#next');
    await page.waitForURL('**/two');
    const first = ingest.stored[0];
    await until('the second page', () => keyframesOf(first?.windowId ?? '') === 2);
    await page.click('#b');
    await page.goto('about:blank');
    await until('both goodbyes', () => ingest.stored.filter((upload) => upload.goodbye).length === 2);

    expect(new Set(ingest.stored.map((upload) => upload.sessionId)).size).toBe(1);
    expect(new Set(ingest.stored.map((upload) => upload.windowId)).size).toBe(1);
    const counters = countersOf(ingest.stored, first?.windowId ?? '');
    expect(counters).toEqual(counters.map((_, index) => index));
    for (const upload of ingest.uploads) expect(upload.uploadId).toBe(`${upload.windowId}-${upload.counter}`);
    // An upload whose answer the page did not live to see was sent again: the same thing under the same name.
    for (const upload of ingest.uploads) {
      expect(upload.frames).toEqual(ingest.stored.find(({ uploadId }) => uploadId === upload.uploadId)?.frames);
    }
    expect(ingest.starts).toHaveLength(1);
    expect(ingest.starts[0]).toMatchObject({ sessionId: first?.sessionId, windowId: first?.windowId, source: 'web' });
    // No request needed the browser to ask first.
    expect(ingest.preflights).toBe(0);
    // What was pressed right before each page was left has arrived.
    const texts = ingest.frames.filter((frame) => frame.track === 'dom').map((frame) => JSON.stringify(jsonOf(frame)));
    expect(texts.filter((text) => text.includes('pressed 1')).length).toBeGreaterThanOrEqual(2);
  });

  test('[RC11] another tab is another window of the same session', async () => {
    await page.goto(`${site.origin}/`);
    await until('the first tab', () => ingest.stored.length > 0);
    const other = await context.newPage();
    await other.goto(`${site.origin}/two`);
    await until('the second tab', () => new Set(ingest.stored.map((upload) => upload.windowId)).size === 2);
    expect(new Set(ingest.stored.map((upload) => upload.sessionId)).size).toBe(1);
  });

  test('[RC12] a tab that begins with a copy of another tab takes a window of its own', async () => {
    await page.goto(`${site.origin}/`);
    await until('the original', () => ingest.stored.length > 0);
    // A window opened by script gets a copy of sessionStorage, as a duplicated tab does.
    const [copy] = await Promise.all([context.waitForEvent('page'), page.evaluate(() => void window.open('/two'))]);
    await copy.waitForLoadState();
    expect(await copy.evaluate(() => sessionStorage.length)).toBeGreaterThan(0);
    await until('the copy', () => new Set(ingest.stored.map((upload) => upload.windowId)).size === 2);
    await page.click('#b');
    await copy.click('#b');
    await page.close();
    await copy.close();
    await until('both goodbyes', () => ingest.stored.filter((upload) => upload.goodbye).length === 2);
    expect(new Set(ingest.stored.map((upload) => upload.sessionId)).size).toBe(1);
    for (const windowId of new Set(ingest.uploads.map((upload) => upload.windowId))) {
      const counters = countersOf(ingest.stored, windowId);
      expect(counters).toEqual(counters.map((_, index) => index));
    }
  });

  test('[RC13] a session silent for longer than ingest waits is not continued', async () => {
    ingest.config = { sessionSilenceMs: 1_000 };
    await page.goto(`${site.origin}/`);
    await until('the start', () => ingest.stored.length > 0);
    const first = ingest.stored[0]?.sessionId;
    await page.goto('about:blank');
    await until('the goodbye', () => ingest.stored.some((upload) => upload.goodbye));
    const leftAtMs = Date.now();
    await until('the silence to pass', () => Date.now() - leftAtMs > 1_200);
    await page.goto(`${site.origin}/two`);
    const second = await until('another session', () => ingest.stored.find((upload) => upload.sessionId !== first));
    expect(second.counter).toBe(0);
    expect(ingest.starts).toHaveLength(2);
  });

  test('[RC14] an open page that was silent for too long goes on in a new session, from a keyframe', async () => {
    ingest.config = { sessionSilenceMs: 1_000 };
    await page.goto(`${site.origin}/`);
    await until('the start', () => ingest.stored.length > 0);
    const first = ingest.stored[0]?.sessionId;
    const quietFromMs = Date.now();
    await until('the silence to pass', () => Date.now() - quietFromMs > 1_500);
    await page.click('#b');
    await until('the click in a new session', () =>
      ingest.stored.some((upload) => upload.sessionId !== first && JSON.stringify(upload.frames.map(jsonOf)).includes('"kind":"click"')),
    );
    const second = ingest.stored.filter((upload) => upload.sessionId !== first);
    expect(second.flatMap((upload) => upload.frames).find((frame) => frame.track === 'dom')?.keyframe).toBe(true);
    expect(await page.evaluate(() => window.playhead?.sessionId)).toBe(second[0]?.sessionId);
  });

  test('[RC15] after "ended" everything belongs to a new session, which begins with a keyframe', async () => {
    await page.goto(`${site.origin}/`);
    await until('the start', () => ingest.stored.length > 0);
    const first = ingest.stored[0]?.sessionId ?? '';
    ingest.answer = (upload) => ({ status: 204, headers: upload.sessionId === first ? { 'playhead-session': 'ended' } : {} });
    await page.click('#b');
    await until('a keyframe in a new session', () =>
      ingest.stored.some((upload) => upload.sessionId !== first && upload.frames.some((frame) => frame.keyframe)),
    );
    await page.click('#b');
    await until('what came after', () => ingest.stored.some((upload) => JSON.stringify(upload.frames.map(jsonOf)).includes('pressed 2')));
    const after = ingest.stored.filter((upload) => upload.sessionId !== first);
    expect(new Set(after.map((upload) => upload.sessionId)).size).toBe(1);
    expect(after[0]?.counter).toBe(0);
    expect(after[0]?.windowId).not.toBe(ingest.stored[0]?.windowId);
    expect(after.flatMap((upload) => upload.frames).find((frame) => frame.track === 'dom')?.keyframe).toBe(true);
    expect(ingest.starts).toHaveLength(2);
  });

  test('[RC16] a page that comes back from the back/forward cache goes on in its window with a keyframe', async () => {
    await page.goto(`${site.origin}/`);
    await until('the start', () => ingest.stored.length > 0);
    const windowId = ingest.stored[0]?.windowId ?? '';
    // The events of a page that is put away and taken out again, as the browser sends them.
    await page.evaluate(() => window.dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })));
    await until('the goodbye', () => ingest.stored.some((upload) => upload.goodbye));
    await page.evaluate(() => window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
    await until('a second keyframe', () => keyframesOf(windowId) === 2);
    await page.click('#b');
    await until('what came after', () => ingest.stored.some((upload) => JSON.stringify(upload.frames.map(jsonOf)).includes('pressed 1')));
    const counters = countersOf(ingest.stored, windowId);
    expect(counters).toEqual(counters.map((_, index) => index));
  });
});
