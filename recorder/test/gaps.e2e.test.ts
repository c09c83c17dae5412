import { chromiumPath, launchChromium, NO_CHROMIUM } from '@playhead/e2e/chromium';
import type { Signal } from '@playhead/schemas';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SeenUpload } from './ingest-double.ts';
import { IngestDouble, jsonOf, until } from './ingest-double.ts';
import { buildRecorder, Site } from './site.ts';

const PAGE = `
  <button id="b">press</button><button id="big">big</button><p id="out"></p>
  <script>
    let n = 0;
    const out = document.getElementById('out');
    document.getElementById('b').onclick = () => { out.textContent = 'pressed ' + ++n; };
    // Text that does not compress.
    document.getElementById('big').onclick = () => {
      let text = '';
      while (text.length < 150000) text += Math.random().toString(36).slice(2);
      out.textContent = 'big ' + ++n + ' ' + text;
    };
  </script>`;

/** Runs in the page, before its scripts: makes the next keyframes of the recorder impossible. */
function breakKeyframes(times: number): void {
  const { stringify } = JSON;
  let left = times;
  JSON.stringify = ((value: unknown, ...rest: []) => {
    if (Array.isArray(value) && (value[1] as { type?: number } | undefined)?.type === 2 && left-- > 0) throw new RangeError('no memory');
    return stringify(value, ...rest);
  }) as typeof stringify;
}

describe.runIf(chromiumPath)(`what is missing, told from a browser${chromiumPath ? '' : ` (${NO_CHROMIUM})`}`, () => {
  let script = '';
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let ingest: IngestDouble;
  let site: Site;
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
  });
  afterEach(async () => {
    await context.close();
    await site.close();
    await ingest.close();
  });

  const keyframes = (): number => ingest.frames.filter((frame) => frame.keyframe).length;
  const shows = (text: string): boolean => ingest.frames.some((frame) => JSON.stringify(jsonOf(frame)).includes(text));
  const gaps = (reason: string): Signal[] => ingest.signals.filter((signal) => signal.kind === 'gap' && signal.reason === reason);
  const gap = (reason: string): Promise<Signal> => until(`a gap ${reason}`, () => gaps(reason)[0]);
  const started = async (): Promise<void> => {
    await page.goto(`${site.origin}/`);
    await until('the first keyframe', () => keyframes() > 0);
  };
  const press = async (id: string, refusals: () => number): Promise<void> => {
    const before = refusals();
    await page.click(`#${id}`);
    await until('a refusal', () => refusals() > before);
  };

  test('[RC22] while ingest answers 503 the buffer overflows; when it takes uploads again one gap says what is missing, and a keyframe repairs it', async () => {
    ingest.config = { bufferBytesMax: 200_000 };
    await started();
    const before = keyframes();
    ingest.answer = () => ({ status: 503 });
    const fromMs = Date.now();
    await press('b', () => ingest.uploads.filter(({ status }) => status === 503).length);
    for (let presses = 1; presses <= 4; presses++) {
      await page.click('#big');
      await page.waitForFunction((text) => document.getElementById('out')?.textContent?.startsWith(text), `big ${presses + 1}`);
    }
    ingest.answer = () => ({ status: 204 });
    const told = await gap('buffer_full');
    await until('a keyframe', () => keyframes() > before);
    expect(told).toMatchObject({ frames: expect.any(Number), bytes: expect.any(Number) });
    expect(told.bytes).toBeGreaterThan(150_000);
    expect(told.fromMs).toBeGreaterThanOrEqual(fromMs);
    expect(told.toMs).toBeGreaterThanOrEqual(told.fromMs ?? Number.POSITIVE_INFINITY);
    await page.click('#b');
    await until('the press after it', () => shows('pressed 6'));
    expect(gaps('buffer_full')).toHaveLength(1);
  });

  test('[RC33] an upload that ingest refuses for good is told with its frames, and a keyframe follows', async () => {
    await started();
    const before = keyframes();
    let refused: Omit<SeenUpload, 'status'> | null = null;
    ingest.answer = (upload) => {
      if (refused !== null || upload.frames.length === 0) return { status: 204 };
      refused = upload;
      return { status: 422 };
    };
    await page.click('#b');
    const told = await gap('refused');
    await until('a keyframe', () => keyframes() > before);
    const { frames } = refused as unknown as SeenUpload;
    expect(told).toMatchObject({ frames: frames.length, fromMs: Math.min(...frames.map(({ timestampMs }) => timestampMs)) });
  });

  test('[RC33] what fits neither into the last beacons nor into storage is told with the goodbye', async () => {
    ingest.config = { flushMs: 60_000 };
    await started();
    await page.evaluate(() => {
      Storage.prototype.setItem = () => {
        throw new DOMException('full', 'QuotaExceededError');
      };
      document.getElementById('big')?.click();
      setTimeout(() => location.assign('/two'));
    });
    await page.waitForURL('**/two');
    const goodbye = await until('the goodbye', () => ingest.stored.find((upload) => upload.goodbye));
    const told = goodbye.frames.map(jsonOf).find((signal) => (signal as Signal).kind === 'gap') as Signal;
    expect(told).toMatchObject({ reason: 'page_left', frames: expect.any(Number) });
    expect(told.bytes).toBeGreaterThan(150_000);
    expect(shows('big 1')).toBe(false);
  });

  test('[RC33] signals that are too many are counted, and told by their kind when the page is left at the latest', async () => {
    await started();
    await page.evaluate(() => {
      for (let i = 0; i < 150; i++) window.playhead?.event('again', i);
    });
    await page.goto(`${site.origin}/two`);
    const told = await gap('too_many_signals');
    expect(told).toMatchObject({ value: 'custom', track: 'signal' });
    expect(told.frames).toBe(150 - ingest.signals.filter((signal) => signal.kind === 'custom').length);
  });

  test('[RC33] a keyframe that cannot be had is told with what cannot be drawn without it, and taken again', async () => {
    await page.addInitScript(breakKeyframes, 1);
    await page.goto(`${site.origin}/`);
    const told = await gap('keyframe_lost');
    const keyframe = await until('a keyframe', () => ingest.frames.find((frame) => frame.keyframe));
    expect(told.fromMs).toBeLessThanOrEqual(keyframe.timestampMs);
    await page.click('#b');
    await until('the press', () => shows('pressed 1'));
    expect(ingest.frames.find((frame) => frame.track === 'dom')).toBe(ingest.frames.find((frame) => frame.keyframe));
  });

  test('[RC34] a page that the browser froze tells from when to when; one that is only hidden tells nothing', async () => {
    await started();
    const hide = (hidden: boolean): Promise<void> =>
      page.evaluate(
        (state) => {
          Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
          document.dispatchEvent(new Event('visibilitychange'));
        },
        hidden ? 'hidden' : 'visible',
      );
    await hide(true);
    await hide(false);
    // A Chromium without a screen freezes nothing: here are the events that it would give.
    const freeze = (): Promise<void> => page.evaluate(() => void document.dispatchEvent(new Event('freeze')));
    await freeze();
    const fromMs = Date.now();
    await until('a second', () => Date.now() - fromMs > 1_000);
    await page.evaluate(() => void document.dispatchEvent(new Event('resume')));
    const told = await gap('background');
    expect((told.toMs ?? 0) - (told.fromMs ?? 0)).toBeGreaterThan(500);
    expect(told.frames).toBeUndefined();
    expect(ingest.signals.filter(({ kind }) => kind === 'gap')).toHaveLength(1);
  });
});
