/** What zlib gives, as a Uint8Array, no copy: a Buffer's `slice` does something else than code expects. */
export function plainBytes({ buffer, byteOffset, byteLength }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** The same, copied where it is the smaller part of its buffer, which Node shares or zlib did not fill: whoever holds it holds little else. */
export function alone(bytes: Buffer): Uint8Array {
  const plain = plainBytes(bytes);
  return plain.buffer.byteLength > 2 * plain.length ? plain.slice() : plain;
}
