import type { Position } from '@playhead/schemas';
import { formatPosition, imageType } from '@playhead/schemas';
import { ByteLru } from '../core/byte-lru.ts';
import { compareTimed, firstAtOrAfter, insertTimed, lastAtOrBefore } from '../core/timeline.ts';
import type { Displayed, Stage } from './stage.ts';

/** One picture: its bytes, as long as they are kept, or where to get them. */
export interface Picture {
  readonly timestampMs: number;
  readonly position: Position;
  /** From the stream; dropped when there are too many and the index has the picture. */
  bytes: Uint8Array | null;
  /** The picture's own address works. */
  stored: boolean;
}

export interface PictureSource {
  /** Bytes of a stored picture. */
  fetch(position: Position, signal: AbortSignal): Promise<Uint8Array>;
  onFault(cause: unknown): void;
}

/** Decoded pictures: 4 bytes a pixel. A phone's picture at half size is about 1.3 MB. */
const DECODED_BYTES_MAX = 96 * 1024 * 1024;
const FETCHED_BYTES_MAX = 32 * 1024 * 1024;
/** Bytes from the stream that wait for the index. */
const STREAMED_BYTES_MAX = 64 * 1024 * 1024;
const AHEAD_MOVING = 4;
const AHEAD_STILL = 1;
/** After a picture could not be had, it is asked for again no sooner. */
const RETRY_MS = 2_000;

/**
 * Draws one window of pictures on a canvas. What is on it stays until the next picture is decoded: the canvas is never blank
 * after the first. A decode that comes too late for its moment is drawn only when it is still newer than what is shown and
 * nobody has jumped since.
 */
export class ImageStage implements Stage {
  readonly windowId: string;
  readonly element: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  readonly pictures: Picture[] = [];
  readonly #source: PictureSource;
  readonly #decoded = new ByteLru<ImageBitmap>(DECODED_BYTES_MAX, (bitmap) => bitmap.close());
  readonly #fetched = new ByteLru<Uint8Array>(FETCHED_BYTES_MAX);
  readonly #pending = new Map<string, AbortController>();
  readonly #failed = new Map<string, number>();
  #streamedBytes = 0;
  /** Grows with every jump: a decode that was asked for before it is not drawn unless it is what is wanted. */
  #generation = 0;
  #wanted: Picture | null = null;
  #shown: Picture | null = null;
  #timeMs = Number.NEGATIVE_INFINITY;
  #destroyed = false;

  constructor(windowId: string, source: PictureSource) {
    this.windowId = windowId;
    this.#source = source;
    this.element = document.createElement('div');
    this.element.className = 'stage image-stage';
    this.canvas = document.createElement('canvas');
    this.canvas.width = 0;
    this.canvas.height = 0;
    this.canvas.setAttribute('role', 'img');
    this.canvas.setAttribute('aria-label', 'Recorded screen');
    this.element.append(this.canvas);
  }

  /** Takes a picture of the stream, or of the index (`bytes` null). False when it is known: then it gains what it lacks. */
  add(picture: Picture): boolean {
    if (insertTimed(this.pictures, picture) === -1) {
      const there = this.pictures[firstAtOrAfter(this.pictures, picture)];
      if (there && picture.stored) there.stored = true;
      return false;
    }
    if (picture.bytes) this.#streamedBytes += picture.bytes.length;
    this.#dropStreamed();
    return true;
  }

  show(timeMs: number, moving: boolean): void {
    const jumped = timeMs < this.#timeMs || timeMs - this.#timeMs > 5_000;
    this.#timeMs = timeMs;
    if (jumped) {
      this.#generation++;
      for (const abort of this.#pending.values()) abort.abort();
      this.#pending.clear();
    }
    const index = Math.max(0, lastAtOrBefore(this.pictures, timeMs));
    const wanted = this.pictures[index] ?? null;
    this.#wanted = wanted;
    if (!wanted) return;
    if (wanted !== this.#shown) {
      const bitmap = this.#decoded.get(formatPosition(wanted.position));
      if (bitmap) this.#draw(wanted, bitmap);
      else void this.#decode(wanted);
    }
    const ahead = moving ? AHEAD_MOVING : AHEAD_STILL;
    for (const next of this.pictures.slice(index + 1, index + 1 + ahead)) void this.#decode(next);
  }

  displayed(): Displayed | null {
    return this.#shown;
  }

  /** The moment of the picture before (-1) or behind (1) the one of `timeMs`; null at the ends. */
  neighbour(timeMs: number, direction: -1 | 1): number | null {
    return this.pictures[lastAtOrBefore(this.pictures, timeMs) + direction]?.timestampMs ?? null;
  }

  setActive(active: boolean): void {
    this.element.classList.toggle('active', active);
  }

  destroy(): void {
    this.#destroyed = true;
    for (const abort of this.#pending.values()) abort.abort();
    this.#decoded.clear();
    this.element.remove();
  }

  async #decode(picture: Picture): Promise<void> {
    const key = formatPosition(picture.position);
    if (this.#pending.has(key) || this.#decoded.has(key)) return;
    const failedAt = this.#failed.get(key);
    if (failedAt !== undefined && performance.now() - failedAt < RETRY_MS) return;
    const abort = new AbortController();
    const generation = this.#generation;
    this.#pending.set(key, abort);
    try {
      const bytes = picture.bytes ?? this.#fetched.get(key) ?? (await this.#fetch(picture, key, abort.signal));
      const type = imageType(bytes);
      if (type === undefined) throw new Error(`frame ${key} is not a picture`);
      const bitmap = await createImageBitmap(new Blob([bytes as Uint8Array<ArrayBuffer>], { type }));
      if (this.#destroyed) {
        bitmap.close();
        return;
      }
      this.#decoded.set(key, bitmap, bitmap.width * bitmap.height * 4);
      this.#failed.delete(key);
      if (this.#mayDraw(picture, generation)) this.#draw(picture, bitmap);
    } catch (cause) {
      if (abort.signal.aborted) return;
      this.#failed.set(key, performance.now());
      this.#source.onFault(cause);
    } finally {
      if (this.#pending.get(key) === abort) this.#pending.delete(key);
    }
  }

  async #fetch(picture: Picture, key: string, signal: AbortSignal): Promise<Uint8Array> {
    const bytes = await this.#source.fetch(picture.position, signal);
    this.#fetched.set(key, bytes, bytes.length);
    return bytes;
  }

  #mayDraw(picture: Picture, generation: number): boolean {
    if (picture === this.#wanted) return true;
    if (generation !== this.#generation || !this.#wanted) return false;
    const newer = this.#shown === null || compareTimed(picture, this.#shown) > 0;
    return newer && compareTimed(picture, this.#wanted) <= 0;
  }

  #draw(picture: Picture, bitmap: ImageBitmap): void {
    // Setting the size clears the canvas; the drawing follows in the same task, so that nobody sees it cleared.
    if (this.canvas.width !== bitmap.width || this.canvas.height !== bitmap.height) {
      this.canvas.width = bitmap.width;
      this.canvas.height = bitmap.height;
    }
    this.canvas.getContext('2d')?.drawImage(bitmap, 0, 0);
    this.#shown = picture;
    this.canvas.dataset['position'] = formatPosition(picture.position);
  }

  /** Forgets the bytes of pictures that can be fetched again, oldest first, when too many are kept. */
  #dropStreamed(): void {
    if (this.#streamedBytes <= STREAMED_BYTES_MAX) return;
    for (const picture of this.pictures) {
      if (this.#streamedBytes <= STREAMED_BYTES_MAX) return;
      const late = this.#streamedBytes > STREAMED_BYTES_MAX * 2;
      if (!picture.bytes || (!picture.stored && !late)) continue;
      this.#streamedBytes -= picture.bytes.length;
      picture.bytes = null;
    }
  }
}
