import { chromiumPath, launchChromium, NO_CHROMIUM } from '@playhead/e2e/chromium';
import type { Frame } from '@playhead/schemas';
import { FrameJoiner, isContinuation, LIMITS, toOffset } from '@playhead/schemas';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { IngestDouble, jsonOf, until } from './ingest-double.ts';
import { buildRecorder, Site } from './site.ts';

/** A page with a text of `chars` characters of one, two and three bytes each. */
const pageOf = (chars: number): string => `
  <button id="b">press</button><p id="out"></p><pre id="text" style="display: none"></pre>
  <script>
    document.getElementById('text').textContent = 'text é … '.repeat(${Math.ceil(chars / 9)});
    document.getElementById('b').onclick = () => { document.getElementById('out').textContent += 'pressed '; };
  </script>`;

describe.runIf(chromiumPath)(`large frames from a browser${chromiumPath ? '' : ` (${NO_CHROMIUM})`}`, () => {
  let script = '';
  let browser: Browser;
  let page: Page;
  let ingest: IngestDouble;
  let site: Site;
  let endpoint = '';
  let errors: string[] = [];

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
    page = await browser.newPage();
    errors = [];
    page.on('pageerror', (error) => errors.push(String(error)));
  });
  afterEach(async () => {
    await page.close();
    await site.close();
    await ingest.close();
    if (errors.length > 0) throw new Error(`the page had errors: ${errors.join('; ')}`);
  });

  /** What a viewer makes of everything that was stored. */
  const joined = (): Frame[] => {
    const joiner = new FrameJoiner();
    return ingest.frames.flatMap((frame, i) => {
      const whole = joiner.take({ ...frame, windowId: 'w', position: { offset: toOffset(i), index: 0 } }).frame;
      return whole === null ? [] : [whole];
    });
  };
  const keyframes = (): Frame[] => joined().filter((frame) => frame.keyframe);
  const partNumbers = (): number[] => ingest.uploads.flatMap(({ frames }) => frames.flatMap(({ part }) => part?.number ?? []));

  test('[RC35] a page that is larger than a part leaves in parts, in order, each an upload; a watch that begins meanwhile gets no second keyframe', async () => {
    // Somebody begins to watch with the first upload, and somebody else in the middle of the page.
    ingest.answer = ({ frames }) => {
      const watch = frames.some(({ part }) => (part?.number ?? 0) >= 2) ? 'watch-2' : 'watch-1';
      return { status: 204, headers: { 'playhead-flush-ms': '250', 'playhead-keyframe': watch } };
    };
    await page.goto(site.page('/', endpoint, pageOf(4_000_000)));
    await until('the page', () => keyframes().length > 0, 30_000);
    await page.click('#b');
    await until('a change behind it', () => joined().some((frame) => JSON.stringify(jsonOf(frame)).includes('pressed')));
    const uploads = ingest.uploads.filter(({ frames }) => frames.some(({ part }) => part !== undefined));
    expect(uploads.map(({ frames }) => frames.length)).toEqual(uploads.map(() => 1));
    expect(partNumbers()).toEqual(uploads.map((_, number) => number));
    const sizes = uploads.map(({ frames }) => frames[0]?.payload.length ?? 0);
    expect(sizes.slice(0, -1).every((size) => size > LIMITS.framePartBytesMax - 4 && size <= LIMITS.framePartBytesMax)).toBe(true);
    const text = await page.locator('#text').evaluate((element) => element.textContent);
    expect(JSON.stringify(jsonOf(keyframes()[0]!)).includes(JSON.stringify(text))).toBe(true);
    expect(keyframes()).toHaveLength(1);
    expect(ingest.signals.filter(({ kind }) => kind === 'gap')).toEqual([]);
  }, 60_000);

  test('[RC35] where one part is refused the rest does not leave, one frame is told as missing, and the page comes once more', async () => {
    let refused = false;
    ingest.answer = ({ frames }) => {
      const isThird = !refused && frames.some(({ part }) => part?.number === 2);
      refused ||= isThird;
      return { status: isThird ? 413 : 204 };
    };
    await page.goto(site.page('/', endpoint, pageOf(4_000_000)));
    await until('the page', () => keyframes().length > 0, 30_000);
    const gap = await until('the gap', () => ingest.signals.find(({ kind }) => kind === 'gap'));
    expect(gap).toMatchObject({ reason: 'refused', frames: 1, track: 'dom' });
    const numbers = partNumbers();
    expect(numbers.slice(0, 4)).toEqual([0, 1, 2, 0]);
    expect(numbers.slice(3)).toEqual(numbers.slice(3).map((_, number) => number));
  }, 60_000);

  test('[RC35] a page that is larger than any frame is told as too large, is not tried again at once, and its signals are recorded', async () => {
    await page.goto(site.page('/', endpoint, pageOf(LIMITS.joinedFrameBytesMax)));
    const gap = await until('the gap', () => ingest.signals.find(({ kind }) => kind === 'gap'), 30_000);
    expect(gap).toMatchObject({ reason: 'too_large', frames: 1, track: 'dom' });
    for (let pressed = 1; pressed <= 3; pressed++) {
      await page.click('#b');
      await until('the click', () => ingest.signals.filter(({ kind }) => kind === 'click').length === pressed);
    }
    expect(ingest.frames.filter((frame) => frame.track === 'dom' || isContinuation(frame))).toEqual([]);
    expect(ingest.signals.filter(({ kind, reason }) => kind === 'gap' && reason === 'too_large')).toHaveLength(1);
  }, 60_000);
});
