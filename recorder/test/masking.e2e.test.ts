import { chromiumPath, launchChromium, NO_CHROMIUM } from '@playhead/e2e/chromium';
import type { Signal } from '@playhead/schemas';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { IngestDouble, jsonOf, until } from './ingest-double.ts';
import { buildRecorder, Site } from './site.ts';

const SECRET = 'Zq7secretValue';

const PAGE = `
  <h1>Masking</h1>
  <form id="form">
    <input id="text" name="text" placeholder="Your name">
    <input id="password" type="password">
    <input id="email" type="email" autocomplete="email">
    <input id="search" type="search">
    <input id="tel" type="tel">
    <textarea id="area"></textarea>
    <textarea id="default">${SECRET}-default</textarea>
    <input id="preset" value="${SECRET}-preset">
    <input type="hidden" name="csrf" value="${SECRET}-hidden">
    <input type="radio" name="r" id="radio" value="${SECRET}-radio"><input type="checkbox" id="box" value="${SECRET}-box">
    <select id="select"><option value="x">first</option><option value="${SECRET}-option">second</option></select>
    <input id="mirror" aria-label="mirror" data-initial="">
    <div id="editable" contenteditable="true"></div>
    <button type="button" id="go">Pay now</button>
  </form>
  <p class="playhead-mask" title="${SECRET}-title">${SECRET}-masked</p>
  <p data-playhead-block>${SECRET}-blocked <button id="inblock">${SECRET}-blocked-button</button></p>
  <p class="own-mask">${SECRET}-own-mask</p><p class="own-block">${SECRET}-own-block</p>
  <p id="echo"></p><p id="echo-attribute"></p><a id="link" href="/find?q=${SECRET}-link">more</a>
  <p>Plain text stays readable.</p>
  <script>
    const get = (id) => document.getElementById(id);
    // Frameworks write values back into attributes; pages repeat them.
    for (const input of document.querySelectorAll('input, textarea')) {
      input.addEventListener('input', () => {
        input.setAttribute('value', input.value);
        input.setAttribute('aria-valuetext', input.value);
        input.setAttribute('data-value', input.value);
        input.setAttribute('placeholder', 'was ' + input.value);
        if (!['search', 'radio', 'checkbox'].includes(input.type)) {
          get('echo').textContent = 'Hello ' + input.value + '!';
          get('echo-attribute').title = 'Hello ' + input.value;
          document.title = 'Hi ' + input.value;
          history.replaceState(null, '', '?draft=' + encodeURIComponent(input.value) + '#' + encodeURIComponent(input.value));
        }
      });
    }
    get('go').addEventListener('click', () => {
      window.playhead.event('paid', get('text').value);
      setTimeout(() => { throw new Error('cannot pay for ' + get('text').value); });
    });
  </script>`;

describe.runIf(chromiumPath)(`masking in a browser${chromiumPath ? '' : ` (${NO_CHROMIUM})`}`, () => {
  let script = '';
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let ingest: IngestDouble;
  let site: Site;

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
    site.page('/', endpoint, PAGE, 'data-mask-selector=".own-mask" data-block-selector=".own-block"');
    context = await browser.newContext();
    page = await context.newPage();
  });
  afterEach(async () => {
    await context.close();
    await site.close();
    await ingest.close();
  });

  const keyframes = (): number => ingest.frames.filter((frame) => frame.keyframe).length;

  test('[RC1] what is typed anywhere is in no byte that leaves: values, attributes, echoes, titles, URLs, signals', async () => {
    await page.goto(`${site.origin}/?q=${SECRET}-query#token=${SECRET}-fragment`);
    await until('the first keyframe', () => keyframes() > 0);
    for (const id of ['text', 'password', 'email', 'search', 'tel', 'area', 'mirror', 'preset', 'default']) {
      await page.locator(`#${id}`).fill('');
      await page.locator(`#${id}`).pressSequentially(`${SECRET}-${id}`);
    }
    await page.locator('#editable').pressSequentially(`${SECRET}-editable`);
    await page.locator('#radio').check();
    await page.locator('#box').check();
    await page.locator('#select').selectOption({ index: 1 });
    await page.locator('#text').fill('');
    await page.locator('#text').pressSequentially(`${SECRET}-again`);
    await page.locator('#go').click();
    await page.locator('#inblock').click();
    await until('the error', () => ingest.signals.find((signal) => signal.kind === 'error'));
    // A later full snapshot has the values as properties, attributes and texts all at once.
    await page.evaluate(() => {
      window.playhead?.stop();
      window.playhead?.start();
    });
    await until('another keyframe', () => keyframes() > 1);
    await page.goto('about:blank');
    await until('the goodbye', () => ingest.stored.some((upload) => upload.goodbye));

    const text = ingest.text.toLowerCase();
    // Excerpts instead of the whole, which is long.
    const leaks = text
      .split(SECRET.toLowerCase())
      .map((before) => before.slice(-120))
      .slice(0, -1);
    expect(leaks).toEqual([]);
    // And it did record: texts that nobody typed are readable, typed ones are stars.
    expect(ingest.text).toContain('Plain text stays readable.');
    expect(ingest.text).toContain('Hello ****');
    expect(ingest.text).toContain('"placeholder":"Your name"');
    expect(ingest.text).toContain('?draft=*');
  });

  test('[RC2] a password shows nothing, not even its length', async () => {
    await page.goto(`${site.origin}/`);
    await until('the first keyframe', () => keyframes() > 0);
    await page.locator('#password').fill('a');
    const inputs = (): string[] =>
      ingest.frames
        .filter((frame) => frame.track === 'dom' && !frame.keyframe)
        .map((frame) => jsonOf(frame) as { data: { source?: number; text?: string } })
        .filter((event) => event.data.source === 5)
        .map((event) => event.data.text ?? '');
    await until('the input', () => inputs().length > 0);
    await page.locator('#password').fill('a much longer pass phrase');
    await page.locator('#go').click();
    await until('the click', () => ingest.signals.some((signal) => signal.kind === 'click'));
    expect(new Set(inputs())).toEqual(new Set(['********']));
  });

  test('[RC3] signals name elements by selector and label, and never by what is typed, masked or blocked', async () => {
    await page.goto(`${site.origin}/`);
    await until('the first keyframe', () => keyframes() > 0);
    await page.locator('#text').fill('Ann Lee');
    await page.locator('#go').click();
    await page.locator('#inblock').click();
    await page.locator('.own-mask').click();
    const clicks = (): Signal[] => ingest.signals.filter((signal) => signal.kind === 'click');
    await until('the clicks', () => clicks().length >= 3);
    expect(clicks()[0]).toMatchObject({ selector: 'button#go', text: 'Pay now' });
    expect(clicks()[0]?.x).toBeGreaterThan(0);
    expect(clicks()[1]).toMatchObject({ selector: 'p' });
    expect(clicks()[1]).not.toHaveProperty('text');
    expect(clicks()[2]).not.toHaveProperty('text');
    const input = await until('the input', () => ingest.signals.find((signal) => signal.kind === 'input'));
    expect(input).toEqual({ kind: 'input', selector: 'input#text' });
    expect(ingest.signals.find((signal) => signal.kind === 'custom')).toEqual({ kind: 'custom', text: 'paid', value: '*******' });
    const error = await until('the error', () => ingest.signals.find((signal) => signal.kind === 'error'));
    expect(error.text).toBe('Uncaught Error: cannot pay for *******');
  });

  test('[RC4] a selector that is not one stops the recorder before it records anything', async () => {
    const warnings: string[] = [];
    page.on('console', (message) => warnings.push(message.text()));
    site.page('/bad', 'http://127.0.0.1:9', '<p>text</p>', 'data-mask-selector="p[["');
    await page.goto(`${site.origin}/bad`);
    await until('the warning', () => warnings.find((text) => text.includes('playhead: not recording')));
    expect(await page.evaluate(() => window.playhead?.sessionId)).toBeNull();
    expect(ingest.uploads).toEqual([]);
  });
});
