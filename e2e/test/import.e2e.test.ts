import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { chromiumPath, launchChromium, NO_CHROMIUM } from '../src/chromium.ts';
import type { DomCheckpoint } from '../src/dom-checkpoint.ts';
import { documentCheckpoint, replayedCheckpoint } from '../src/dom-checkpoint.ts';
import type { ServerProcess } from '../src/server-process.ts';
import { freePorts, runCommand, startServer } from '../src/server-process.ts';

const RECORDING = join(import.meta.dirname, '..', '..', '..', 'shared', 'recordings', 'rrweb-demo-81s.json');
/** rrweb as one script for a page: beside the module that its package names. */
const RRWEB = join(dirname(createRequire(import.meta.url).resolve('rrweb')), 'rrweb.umd.cjs');
const missing = [...(chromiumPath ? [] : [NO_CHROMIUM]), ...(existsSync(RECORDING) ? [] : ['no recording at ../shared/recordings'])].join(
  '; ',
);

const WAIT = { timeout: 60_000, interval: 200 };
vi.setConfig({ testTimeout: 120_000 });

/** The last DOM that rrweb's own Replayer gives for the events. */
async function referenceCheckpoint(page: Page, events: string): Promise<DomCheckpoint> {
  await page.goto('about:blank');
  await page.addScriptTag({ path: RRWEB });
  const document = await page.evaluateHandle(async (text) => {
    const { rrweb } = globalThis as unknown as { rrweb: { Replayer: typeof import('rrweb').Replayer } };
    const replayer = new rrweb.Replayer(JSON.parse(text), { mouseTail: false });
    // An event at the very end is applied by a pause behind it, not at it.
    replayer.pause(replayer.getMetaData().totalTime + 1);
    return replayer.iframe.contentDocument as Document;
  }, events);
  return documentCheckpoint(document);
}

describe.runIf(missing === '')(`an rrweb recording of 2018 becomes a session${missing === '' ? '' : ` (${missing})`}`, () => {
  let folder: string;
  let server: ServerProcess;
  let browser: Browser;
  let page: Page;
  let events: string;
  const consoleLines: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'playhead-import-'));
    const [port = 0, shopPort = 0] = await freePorts(2);
    server = await startServer({ data: join(folder, 'data'), port, shopPort, flags: ['--flush-age-ms', '500'] });
    events = await readFile(RECORDING, 'utf8');
    browser = await launchChromium();
    page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    page.on('console', (message) => consoleLines.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => consoleLines.push(`page error: ${error.message}`));
    await page.goto(server.link);
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await server?.kill();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  test('that plays to its end without a warning in the console, on the DOM that the Replayer of rrweb ends on', async () => {
    const { code, output } = await runCommand('import', [RECORDING, '--url', server.url, '--data', join(folder, 'data')]);
    expect(output).toMatch(/Replay it/);
    expect(code).toBe(0);
    const link = /https?:\S+\/sessions\/\S+/.exec(output)?.[0] ?? '';

    await page.goto(link);
    const player = page.locator('playhead-player');
    await vi.waitFor(async () => expect(await player.getAttribute('state')).toBe('ended'), WAIT);
    await page.getByRole('combobox').selectOption('8');
    const duration = 81_000;
    await vi.waitFor(async () => expect(Number(await player.getAttribute('current-time-ms'))).toBeGreaterThanOrEqual(duration), WAIT);

    const reference = await referenceCheckpoint(await browser.newPage(), events);
    expect(reference.lines.length).toBeGreaterThan(20);
    await vi.waitFor(async () => expect(await replayedCheckpoint(page)).toEqual(reference), { ...WAIT, timeout: 10_000 });
    expect(await player.getAttribute('faults')).toBe('0');
    expect(consoleLines).toEqual([]);
  });

  test('a file that is no recording is refused, saying where, and leaves no session', async () => {
    const { code, output } = await runCommand('import', [
      join(import.meta.dirname, 'import.e2e.test.ts'),
      '--url',
      server.url,
      '--data',
      join(folder, 'data'),
    ]);
    expect(code).toBe(1);
    expect(output).toMatch(/line 1 is not JSON/);
    const answer = await page.request.get(`${server.url}/v1/sessions`);
    expect(((await answer.json()) as { sessions: unknown[] }).sessions).toHaveLength(1);
  });
});
