/** What zlib gives, as a Uint8Array, no copy: a Buffer's `slice` does something else than code expects. */
export function plainBytes({ buffer, byteOffset, byteLength }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** The same, copied where Node keeps it in a larger buffer together with others: whoever holds it holds nothing else. */
export function alone(bytes: Buffer): Uint8Array {
  const plain = plainBytes(bytes);
  return plain.buffer.byteLength > 2 * plain.length ? plain.slice() : plain;
}
