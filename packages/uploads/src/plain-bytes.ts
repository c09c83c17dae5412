/** What zlib gives, as a Uint8Array, no copy: a Buffer's `slice` does something else than code expects. */
export function plainBytes({ buffer, byteOffset, byteLength }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
