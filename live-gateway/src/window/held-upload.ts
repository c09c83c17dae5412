import type { DecodedBody, Offset, PositionedFrame, Upload } from '@playhead/schemas';
import { decodeFramesMessage, encodeFramesMessage } from '@playhead/schemas';
import { positionFrames, readUploadAsync } from '@playhead/uploads';
import type { UploadInLog } from '../handover/core/handover.ts';

/**
 * One upload of the log in memory. It is decoded when a viewer first prepares it, once for all viewers, into the very
 * messages that they are sent; the body is let go then, and the frames are views into the messages.
 */
export class HeldUpload implements UploadInLog {
  readonly offset: Offset;
  readonly projectId: string;
  readonly sessionId: string;
  readonly windowId: string;
  readonly uploadId: string;
  readonly counter: number | null;
  readonly receivedAtMs: number;
  readonly sentAtMs: number;
  readonly #messageBytesMax: number;
  readonly #onBytes: (change: number) => void;
  #upload: Upload | null;
  #preparing: Promise<void> | null = null;
  #messages: readonly Uint8Array[] = [];
  #frames: readonly PositionedFrame[] = [];
  #bytes: number;

  /** @param onBytes told by how many bytes decoding has changed what is held */
  constructor(offset: Offset, upload: Upload, messageBytesMax: number, onBytes: (change: number) => void = () => {}) {
    this.offset = offset;
    this.projectId = upload.projectId;
    this.sessionId = upload.sessionId;
    this.windowId = upload.windowId;
    this.uploadId = upload.uploadId;
    this.counter = upload.counter;
    this.receivedAtMs = upload.receivedAtMs;
    this.sentAtMs = upload.sentAtMs;
    this.#messageBytesMax = messageBytesMax;
    this.#onBytes = onBytes;
    this.#upload = upload;
    this.#bytes = OVERHEAD_BYTES + upload.body.length;
  }

  /** Bytes held now. */
  get bytes(): number {
    return this.#bytes;
  }

  get decoded(): boolean {
    return this.#upload === null;
  }

  /** The whole frames; those before a fault, when the body has one. Only of an upload that was prepared. */
  get frames(): readonly PositionedFrame[] {
    this.#assertDecoded();
    return this.#frames;
  }

  /** All frames, as encoded messages. Only of an upload that was prepared. */
  get messages(): readonly Uint8Array[] {
    this.#assertDecoded();
    return this.#messages;
  }

  /** Decodes, so that the frames can be asked for. Bodies that take long do not hold up other viewers. */
  prepare(): Promise<void> {
    const upload = this.#upload;
    if (upload !== null) this.#preparing ??= readUploadAsync(upload).then((decoded) => this.#keep(upload, decoded));
    return this.#preparing ?? Promise.resolve();
  }

  #assertDecoded(): void {
    if (this.#upload !== null) throw new Error(`upload ${this.offset} is not prepared`);
  }

  #keep(upload: Upload, decoded: DecodedBody): void {
    this.#upload = null;
    const frames = positionFrames(upload, this.offset, decoded.frames);
    this.#messages = messagesOf(frames, this, this.#messageBytesMax);
    this.#frames = this.#messages.flatMap((message) => decodeFramesMessage(message).frames);
    const bytes = OVERHEAD_BYTES + this.#messages.reduce((sum, message) => sum + message.length, 0);
    const change = bytes - this.#bytes;
    this.#bytes = bytes;
    this.#onBytes(change);
  }
}

/** What an upload costs besides its body: objects, strings. An estimate, so that empty uploads are bounded too. */
const OVERHEAD_BYTES = 1024;

/** Frames as messages of at most about `bytesMax` payload bytes; one larger frame makes one larger message. */
export function messagesOf(
  frames: readonly PositionedFrame[],
  times: { readonly receivedAtMs: number; readonly sentAtMs: number },
  bytesMax: number,
): Uint8Array<ArrayBuffer>[] {
  const messages: Uint8Array<ArrayBuffer>[] = [];
  let run: PositionedFrame[] = [];
  let bytes = 0;
  const close = (): void => {
    if (run.length > 0) messages.push(encodeFramesMessage({ receivedAtMs: times.receivedAtMs, sentAtMs: times.sentAtMs, frames: run }));
    run = [];
    bytes = 0;
  };
  for (const frame of frames) {
    if (bytes > 0 && bytes + frame.payload.length > bytesMax) close();
    run.push(frame);
    bytes += frame.payload.length;
  }
  close();
  return messages;
}
