import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromiumPath, NO_CHROMIUM } from '@playhead/e2e/chromium';
import type { Frame, Signal } from '@playhead/schemas';
import type { Page } from 'playwright-core';

/** What a browser test needs; what is absent is named in the titles of what is left out. */
export const noChromium = chromiumPath === undefined ? NO_CHROMIUM : '';
const RECORDING = fileURLToPath(new URL('../../../shared/recordings/rrweb-demo-81s.json', import.meta.url));
export const noRecording = existsSync(RECORDING) ? '' : 'no recording at ../shared/recordings/rrweb-demo-81s.json';
const DIST = fileURLToPath(new URL('../dist/index.html', import.meta.url));
export const noBuild = existsSync(DIST) ? '' : 'no build in player/dist (npm run build)';

interface RawEvent {
  readonly type: number;
  readonly data: unknown;
  readonly timestamp: number;
}

const utf8 = new TextEncoder();
const json = (value: unknown): Uint8Array => utf8.encode(JSON.stringify(value));

/** The recording as frames, its first event at `startMs`; Meta and FullSnapshot together as one keyframe. */
export function recordedFrames(startMs: number): Frame[] {
  const events = JSON.parse(readFileSync(RECORDING, 'utf8')) as RawEvent[];
  const shift = startMs - Math.min(...events.map((event) => event.timestamp));
  const head = events.filter((event) => event.type === 4 || event.type === 2).toSorted((a, b) => b.type - a.type);
  const rest = events.filter((event) => event.type !== 4 && event.type !== 2).toSorted((a, b) => a.timestamp - b.timestamp);
  return [
    { track: 'dom', keyframe: true, timestampMs: startMs, payload: json(head) },
    ...rest.map(
      (event): Frame => ({
        track: 'dom',
        keyframe: false,
        timestampMs: event.timestamp + shift,
        payload: json({ ...event, timestamp: event.timestamp + shift }),
      }),
    ),
  ];
}

export function signalFrame(timestampMs: number, signal: Signal): Frame {
  return { track: 'signal', keyframe: false, timestampMs, payload: json(signal) };
}

export function imageFrame(timestampMs: number, payload: Uint8Array): Frame {
  return { track: 'image', keyframe: true, timestampMs, payload };
}

/** A page with one list, whose items are added one by one: what a DOM window shows can be counted. */
export function countingPage(startMs: number): Frame {
  const text = (id: number, content: string) => ({ type: 3, textContent: content, id });
  const element = (id: number, tagName: string, childNodes: unknown[], attributes: Record<string, string> = {}) => ({
    type: 2,
    tagName,
    attributes,
    childNodes,
    id,
  });
  const style = element(10, 'style', [
    { type: 3, textContent: 'body { font: 20px sans-serif } li { color: #224 }', id: 11, isStyle: true },
  ]);
  const body = element(4, 'body', [element(5, 'h1', [text(6, 'Counting')]), element(7, 'ul', [])]);
  const node = { type: 0, childNodes: [element(2, 'html', [element(3, 'head', [style]), body])], id: 1 };
  return {
    track: 'dom',
    keyframe: true,
    timestampMs: startMs,
    payload: json([
      { type: 4, data: { href: 'https://shop.example/count', width: 800, height: 500 }, timestamp: startMs },
      { type: 2, data: { node, initialOffset: { left: 0, top: 0 } }, timestamp: startMs },
    ]),
  };
}

/** Adds item `count` (from 0) to the list of `countingPage`. */
export function countingItem(timestampMs: number, count: number): Frame {
  const id = 100 + count * 2;
  const item = { type: 2, tagName: 'li', attributes: { id: `item-${count}` }, childNodes: [], id };
  const adds = [
    { parentId: 7, nextId: null, node: item },
    { parentId: id, nextId: null, node: { type: 3, textContent: `item ${count}`, id: id + 1 } },
  ];
  const event = { type: 3, data: { source: 0, texts: [], attributes: [], removes: [], adds }, timestamp: timestampMs };
  return { track: 'dom', keyframe: false, timestampMs, payload: json(event) };
}

/** JPEGs of a plain colour each, with their number on it. */
export async function paintJpegs(page: Page, count: number, size = { width: 240, height: 480 }): Promise<Uint8Array[]> {
  const texts = await page.evaluate(
    async ({ count, size }) => {
      const canvas = document.createElement('canvas');
      canvas.width = size.width;
      canvas.height = size.height;
      const context = canvas.getContext('2d');
      if (!context) return [];
      return Array.from({ length: count }, (_, index) => {
        context.fillStyle = `hsl(${(index * 47) % 360} 80% 55%)`;
        context.fillRect(0, 0, size.width, size.height);
        context.fillStyle = '#fff';
        context.font = '80px sans-serif';
        context.fillText(String(index), 80, 260);
        return canvas.toDataURL('image/jpeg', 0.7).slice('data:image/jpeg;base64,'.length);
      });
    },
    { count, size },
  );
  return texts.map((text) => new Uint8Array(Buffer.from(text, 'base64')));
}
