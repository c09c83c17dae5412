import type { Offset, PositionedFrame, Upload } from '@playhead/schemas';
import { decodeFramesMessage, encodeFramesMessage } from '@playhead/schemas';
import { positionFrames, readUploadAsync } from '@playhead/uploads';
import { errorText } from '../error-text.ts';
import type { UploadInLog } from '../handover/core/handover.ts';

/** How uploads are made into what viewers are sent. */
export interface Decoding {
  readonly messageBytesMax: number;
  /** Default: `readUploadAsync` of uploads. */
  readonly readUpload?: typeof readUploadAsync | undefined;
}

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
  readonly #decoding: Decoding;
  readonly #onBytes: (change: number) => void;
  #upload: Upload | null;
  #preparing: Promise<void> | null = null;
  #messages: readonly Uint8Array[] = [];
  #frames: readonly PositionedFrame[] = [];
  #bytes: number;
  #spoiled: string | null = null;

  /** @param onBytes told by how many bytes decoding has changed what is held */
  constructor(offset: Offset, upload: Upload, decoding: Decoding, onBytes: (change: number) => void = () => {}) {
    this.offset = offset;
    this.projectId = upload.projectId;
    this.sessionId = upload.sessionId;
    this.windowId = upload.windowId;
    this.uploadId = upload.uploadId;
    this.counter = upload.counter;
    this.receivedAtMs = upload.receivedAtMs;
    this.sentAtMs = upload.sentAtMs;
    this.#decoding = decoding;
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

  /** What the decoder broke with, when it did: such an upload has no frames. */
  get spoiled(): string | null {
    return this.#spoiled;
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

  /** Decodes, so that the frames can be asked for. Bodies that take long do not hold up other viewers. Never rejects. */
  prepare(): Promise<void> {
    const upload = this.#upload;
    if (upload !== null) this.#preparing ??= this.#decode(upload);
    return this.#preparing ?? Promise.resolve();
  }

  /** A decoder that breaks, or gives what no message takes, costs the upload that it broke for, as it does for blocks. */
  async #decode(upload: Upload): Promise<void> {
    const { messageBytesMax, readUpload = readUploadAsync } = this.#decoding;
    try {
      const decoded = await readUpload(upload);
      this.#keep(messagesOf(positionFrames(upload, this.offset, decoded.frames), this, messageBytesMax));
    } catch (error) {
      this.#spoiled = errorText(error);
      this.#keep([]);
    }
  }

  #assertDecoded(): void {
    if (this.#upload !== null) throw new Error(`upload ${this.offset} is not prepared`);
  }

  #keep(messages: readonly Uint8Array[]): void {
    this.#frames = messages.flatMap((message) => decodeFramesMessage(message).frames);
    this.#messages = messages;
    this.#upload = null;
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
