/**
 * CRC-32 as in gzip, PNG and zip (polynomial 0xEDB88320, reflected), four bytes a step ("slicing by 4"): browsers have none.
 */
const TABLES = makeTables();

function makeTables(): readonly [Uint32Array, Uint32Array, Uint32Array, Uint32Array] {
  const one = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    one[byte] = value;
  }
  const shifted = (table: Uint32Array) => table.map((value) => (value >>> 8) ^ (one[value & 0xff] ?? 0));
  const two = shifted(one);
  const three = shifted(two);
  return [one, two, three, shifted(three)];
}

/** The checksum of `bytes`: 0 .. 2^32-1. */
export function crc32(bytes: Uint8Array): number {
  const [one, two, three, four] = TABLES;
  const length = bytes.length;
  const whole = length - (length % 4);
  let crc = -1;
  let at = 0;
  for (; at < whole; at += 4) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc = four[crc & 0xff]! ^ three[(crc >>> 8) & 0xff]! ^ two[(crc >>> 16) & 0xff]! ^ one[crc >>> 24]!;
  }
  for (; at < length; at++) crc = (crc >>> 8) ^ one[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}
