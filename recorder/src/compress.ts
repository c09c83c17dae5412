import { gzipSync } from 'fflate';

/** Up to here the page's own thread compresses, in a few ms; beyond it the browser does, beside the page. */
const ON_THREAD_BYTES_MAX = 96 * 1024;

export function gzipNow(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return gzipSync(bytes, { level: 6 });
}

/** Gzip without a long task where the browser can. */
export async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  if (bytes.length <= ON_THREAD_BYTES_MAX || typeof CompressionStream === 'undefined') return gzipNow(bytes);
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

/** Null for what is not base64. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return null;
  }
}
