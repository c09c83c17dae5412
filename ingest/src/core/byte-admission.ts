/**
 * Which bodies may come in: a count of the bytes that this process holds for uploads on their way to the log.
 *
 * Bytes are counted when they are admitted, before they are read, and given back when nothing holds them any more. So the
 * memory of ingest is bounded by what it said yes to, however slow the log or a client is.
 */
export class ByteAdmission {
  readonly #bytesMax: number;
  #bytesHeld = 0;

  /** @param bytesMax bound of all admitted bytes together */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes admitted and not yet given back. */
  get bytesHeld(): number {
    return this.#bytesHeld;
  }

  /** Admits `bytes`, or changes nothing and answers undefined when they would pass the bound. */
  admit(bytes: number): Admitted | undefined {
    const admitted = new Admitted((more) => this.#take(more));
    return admitted.grow(bytes) ? admitted : undefined;
  }

  #take(bytes: number): boolean {
    if (this.#bytesHeld + bytes > this.#bytesMax) return false;
    this.#bytesHeld += bytes;
    return true;
  }
}

/** The admitted bytes of one upload. */
export class Admitted {
  readonly #take: (bytes: number) => boolean;
  #bytes = 0;
  #released = false;

  constructor(take: (bytes: number) => boolean) {
    this.#take = take;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Admits more bytes for the same upload, for bodies that do not say how long they are. False: there is no room. */
  grow(bytes: number): boolean {
    if (this.#released || !this.#take(bytes)) return false;
    this.#bytes += bytes;
    return true;
  }

  /** Gives all of it back; a second call changes nothing. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#take(-this.#bytes);
  }
}
