/** What views keep in memory: the buffers that they are of, each counted once. */
export function heldBytes(views: readonly Uint8Array[]): number {
  const buffers = new Set<ArrayBufferLike>();
  let last: ArrayBufferLike | null = null;
  let bytes = 0;
  for (const { buffer } of views) {
    // Often the one of the view before.
    if (buffer === last || buffers.has(buffer)) continue;
    last = buffer;
    buffers.add(buffer);
    bytes += buffer.byteLength;
  }
  return bytes;
}
