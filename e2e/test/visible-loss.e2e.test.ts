import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SessionInfo } from '@playhead/schemas';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { chromiumPath, launchChromium, NO_CHROMIUM } from '../src/chromium.ts';
import type { ServerProcess } from '../src/server-process.ts';
import { freePorts, startServer } from '../src/server-process.ts';

const WAIT = { timeout: 60_000, interval: 100 };
/** More than a recorder holds (8 MB), in pieces that each travel whole. */
const CHANGES = 60;
const CHANGE_BYTES = 150_000;

describe.runIf(chromiumPath)(`what a recorder cannot send${chromiumPath ? '' : ` (${NO_CHROMIUM})`}`, () => {
  let folder: string;
  let server: ServerProcess;
  let browser: Browser;
  let visitor: BrowserContext;
  let shop: Page;
  let agent: Page;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'playhead-visible-loss-'));
    const [port = 0, shopPort = 0] = await freePorts(2);
    server = await startServer({ data: join(folder, 'data'), port, shopPort, flags: ['--flush-age-ms', '1000'] });
    browser = await launchChromium();
    visitor = await browser.newContext();
    shop = await visitor.newPage();
    agent = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await agent.goto(server.link);
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await server?.kill();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  const session = async (): Promise<SessionInfo | undefined> =>
    ((await (await agent.request.get(`${server.url}/v1/sessions`)).json()) as { sessions: SessionInfo[] }).sessions[0];

  test('while the server answers 503 is shown to who watches, as soon as it answers again, and counted', async () => {
    await shop.goto(server.shopUrl);
    const { sessionId } = await vi.waitFor(async () => {
      const found = await session();
      expect(found?.live).toBe(true);
      return found as SessionInfo;
    }, WAIT);
    await agent.goto(`${server.url}/sessions/${sessionId}`);
    const player = agent.locator('playhead-player');
    await vi.waitFor(async () => expect(await player.getAttribute('state')).toMatch(/^(live|idle)$/), WAIT);

    await shop.route('**/uploads?**', (route) => route.fulfill({ status: 503, headers: { 'access-control-allow-origin': '*' } }));
    await shop.evaluate(
      async ({ changes, bytes }) => {
        // What was changed is made into frames in idle moments, in their order.
        const idle = (): Promise<void> => new Promise((resolve) => requestIdleCallback(() => resolve()));
        const box = document.body.appendChild(document.createElement('p'));
        for (let change = 0; change < changes; change++) {
          let text = `${change} `;
          while (text.length < bytes) text += Math.random().toString(36).slice(2);
          box.textContent = text;
          for (let times = 0; times < 2; times++) await idle();
        }
        box.textContent = 'It works again.';
      },
      { changes: CHANGES, bytes: CHANGE_BYTES },
    );
    await shop.unroute('**/uploads?**');

    const gap = agent.getByRole('button', { name: /^Gap, .*: too much waited to be sent; .* MB$/ });
    await gap.waitFor(WAIT);
    expect(await agent.getByText('A part of this session is missing').isVisible()).toBe(true);
    await vi.waitFor(
      async () => expect(await agent.frameLocator('playhead-player iframe').getByText('It works again.').count()).toBe(1),
      WAIT,
    );
    await vi.waitFor(async () => expect((await session())?.counts.gaps).toBe(1), WAIT);
  }, 180_000);
});
