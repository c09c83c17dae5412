const encoder = new TextEncoder();

/** Turns a text into UTF-8 a piece at a time, so that a large one can be encoded in steps. No character is cut. */
export class TextCutter {
  readonly #text: string;
  readonly #pieceBytesMax: number;
  #at = 0;

  /** @param pieceBytesMax at least 4: what one character can take */
  constructor(text: string, pieceBytesMax: number) {
    this.#text = text;
    this.#pieceBytesMax = pieceBytesMax;
  }

  get isDone(): boolean {
    return this.#at >= this.#text.length;
  }

  /** UTF-8 needs at least this many bytes more. */
  get bytesLeftMin(): number {
    return this.#text.length - this.#at;
  }

  /** The next piece; half a character pair, which JSON never holds, becomes U+FFFD. */
  next(): Uint8Array<ArrayBuffer> {
    // No character has less than one byte: a longer slice could not fit.
    const slice = this.#text.slice(this.#at, this.#at + this.#pieceBytesMax);
    const whole = this.#at + slice.length < this.#text.length && isHighSurrogate(slice) ? slice.slice(0, -1) : slice;
    if (whole.length * 3 <= this.#pieceBytesMax) {
      this.#at += whole.length;
      return encoder.encode(whole);
    }
    const buffer = new Uint8Array(this.#pieceBytesMax);
    const { read, written } = encoder.encodeInto(whole, buffer);
    this.#at += read;
    return written === buffer.length ? buffer : buffer.slice(0, written);
  }
}

function isHighSurrogate(text: string): boolean {
  const code = text.charCodeAt(text.length - 1);
  return code >= 0xd800 && code <= 0xdbff;
}
