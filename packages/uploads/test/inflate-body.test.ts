import { constants, deflateRawSync, gzipSync } from 'node:zlib';
import { LIMITS } from '@playhead/schemas';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inflateBodyAsync } from '../src/index.ts';

const { Z_DEFAULT_STRATEGY, Z_FILTERED, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE } = constants;

/** Text that compresses, and noise that does not. */
const anyContent = fc.oneof(
  fc.uint8Array({ maxLength: 3000 }),
  fc
    .array(fc.constantFrom('{"type":3}', 'abc', 'the same again, ', 'é', '\0'), { maxLength: 600 })
    .map((words) => new Uint8Array(Buffer.from(words.join('')))),
  fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.integer({ min: 1, max: 3000 })).map(([unit, times]) => {
    const bytes = new Uint8Array(unit.length * times);
    for (let i = 0; i < times; i++) bytes.set(unit, i * unit.length);
    return bytes;
  }),
);
const anyOptions = fc.record({
  level: fc.integer({ min: 0, max: 9 }),
  memLevel: fc.integer({ min: 1, max: 9 }),
  strategy: fc.constantFrom(Z_DEFAULT_STRATEGY, Z_FILTERED, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE),
});

function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

function textOf(bytes: number): Uint8Array {
  return new Uint8Array(Buffer.from(Array.from({ length: Math.ceil(bytes / 12) }, (_, i) => `line ${i * 7919}\n`).join(''))).subarray(
    0,
    bytes,
  );
}

const CONTENT = textOf(20_000);
const GZIP = plain(gzipSync(CONTENT));

describe('inflateBodyAsync', () => {
  it('gives what was compressed', async () => {
    await fc.assert(
      fc.asyncProperty(anyContent, anyOptions, async (content, options) => {
        expect(await inflateBodyAsync('gzip', plain(gzipSync(content, options)))).toEqual({ bytes: content, fault: null });
      }),
    );
  });

  it('identity gives the body itself', async () => {
    expect((await inflateBodyAsync('identity', GZIP)).bytes).toBe(GZIP);
  });

  it('inflates members one behind the other, and ignores what follows the last', async () => {
    const body = Uint8Array.from([...gzipSync('one '), ...gzipSync('two'), 0, 0, 7]);
    expect(await inflateBodyAsync('gzip', body)).toEqual({ bytes: plain(Buffer.from('one two')), fault: null });
  });

  it('truncated at any byte: a prefix of the content, and truncated_body', async () => {
    for (let cut = 0; cut < GZIP.length; cut += cut < 40 || cut > GZIP.length - 40 ? 1 : 97) {
      const { bytes, fault } = await inflateBodyAsync('gzip', GZIP.subarray(0, cut));
      expect(fault).toMatchObject({ code: 'truncated_body', byteOffset: bytes.length });
      expect(bytes).toEqual(CONTENT.subarray(0, bytes.length));
    }
  });

  it('truncated in its trailer: all of the content, and still a fault', async () => {
    for (let missing = 1; missing <= 8; missing++) {
      const { bytes, fault } = await inflateBodyAsync('gzip', GZIP.subarray(0, GZIP.length - missing));
      expect(bytes).toEqual(CONTENT);
      expect(fault?.code).toBe('truncated_body');
    }
  });

  it('truncated in the second member: the first one whole', async () => {
    const first = gzipSync('one ');
    const body = Uint8Array.from([...first, ...GZIP.subarray(0, GZIP.length / 2)]);
    const { bytes, fault } = await inflateBodyAsync('gzip', body);
    expect(Buffer.from(bytes.subarray(0, 10)).toString()).toBe('one line 0');
    expect(bytes.length).toBeGreaterThan(CONTENT.length / 3);
    expect(fault?.code).toBe('truncated_body');
  });

  it('a wrong checksum: all of the content, and corrupt_codec', async () => {
    const body = GZIP.slice();
    body[body.length - 6] = (body[body.length - 6] ?? 0) ^ 1;
    const { bytes, fault } = await inflateBodyAsync('gzip', body);
    expect(bytes).toEqual(CONTENT);
    expect(fault).toMatchObject({ code: 'corrupt_codec', byteOffset: CONTENT.length });
    expect(fault?.message).toMatch(/incorrect data check/);
  });

  it('damage inside: what lies before it is kept', async () => {
    const content = textOf(30_000);
    const first = deflateRawSync(content, { finishFlush: constants.Z_SYNC_FLUSH });
    const body = Uint8Array.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, ...first, 0x07, ...GZIP]);
    const { bytes, fault } = await inflateBodyAsync('gzip', body);
    expect(bytes).toEqual(content);
    expect(fault).toMatchObject({ code: 'corrupt_codec', byteOffset: 30_000 });
  });

  it('a body that is no gzip: nothing, and corrupt_codec', async () => {
    expect(await inflateBodyAsync('gzip', plain(Buffer.from('{"not":"gzip"}')))).toMatchObject({
      bytes: new Uint8Array(),
      fault: { code: 'corrupt_codec', byteOffset: 0 },
    });
  });

  it('an empty body: nothing, and truncated_body', async () => {
    expect(await inflateBodyAsync('gzip', new Uint8Array())).toMatchObject({ bytes: new Uint8Array(), fault: { code: 'truncated_body' } });
  });

  it('a bomb: inflated_too_large at once, and no bytes, whatever it begins with', async () => {
    const content = new Uint8Array(LIMITS.uploadInflatedBytesMax + 1);
    content.set(CONTENT);
    const { bytes, fault } = await inflateBodyAsync('gzip', plain(gzipSync(content)));
    expect(bytes).toHaveLength(0);
    expect(fault).toMatchObject({ code: 'inflated_too_large', byteOffset: LIMITS.uploadInflatedBytesMax });
  });

  it('exactly the limit is no bomb', async () => {
    const { bytes, fault } = await inflateBodyAsync('gzip', plain(gzipSync(new Uint8Array(LIMITS.uploadInflatedBytesMax))));
    expect(bytes).toHaveLength(LIMITS.uploadInflatedBytesMax);
    expect(fault).toBeNull();
  });

  it('any bytes, any damage: never rejects, and a fault says how much came out', async () => {
    const anyBody = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 200 }).map((tail) => Uint8Array.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, ...tail])),
      fc
        .tuple(anyContent, anyOptions, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean())
        .map(([content, options, at, flip, cut]) => {
          const body = plain(gzipSync(content, options));
          const place = at % body.length;
          body[place] = (body[place] ?? 0) ^ flip;
          return cut ? body.subarray(0, Math.max(place, body.length - (at % 20))) : body;
        }),
    );
    await fc.assert(
      fc.asyncProperty(anyBody, async (body) => {
        const { bytes, fault } = await inflateBodyAsync('gzip', body);
        expect(fault?.byteOffset ?? bytes.length).toBe(bytes.length);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    { what: 'small', bytes: 60_000 },
    { what: 'large', bytes: 4_000_000 },
  ])('the salvage of a $what body lets others run in between', async ({ bytes: length }) => {
    const body = plain(gzipSync(textOf(length)));
    body[body.length - 6] = (body[body.length - 6] ?? 0) ^ 1;
    let turns = 0;
    let done = false;
    const count = () => {
      turns++;
      if (!done) setImmediate(count);
    };
    setImmediate(count);
    const { bytes, fault } = await inflateBodyAsync('gzip', body);
    done = true;
    expect(fault?.code).toBe('corrupt_codec');
    expect(bytes).toHaveLength(length);
    expect(turns).toBeGreaterThan(3);
  });

  it('a small body that is large inside is inflated like any other', async () => {
    const content = new Uint8Array(30_000_000).fill(7);
    const body = plain(gzipSync(content));
    expect(body.length).toBeLessThan(256 * 1024);
    const { bytes, fault } = await inflateBodyAsync('gzip', body);
    expect(fault).toBeNull();
    expect(Buffer.compare(bytes, content)).toBe(0);
  });

  it('a small body that is large inside and says that it is small is salvaged like any other', async () => {
    const body = plain(gzipSync(new Uint8Array(2_000_000).fill(7)));
    // The length of a gzip is in its last four bytes.
    body.set([1, 0, 0, 0], body.length - 4);
    const { bytes, fault } = await inflateBodyAsync('gzip', body);
    expect(fault?.code).toBe('corrupt_codec');
    expect(bytes).toHaveLength(2_000_000);
  });

  it('any content cut at any byte: a prefix, and truncated_body', async () => {
    await fc.assert(
      fc.asyncProperty(anyContent, anyOptions, fc.nat(), async (content, options, at) => {
        const body = plain(gzipSync(content, options));
        const { bytes, fault } = await inflateBodyAsync('gzip', body.subarray(0, at % body.length));
        expect(fault?.code).toBe('truncated_body');
        expect(bytes).toEqual(content.subarray(0, bytes.length));
      }),
      { numRuns: 300 },
    );
  });

  it('what does not compress is kept to the last byte that came, also within a stored block', async () => {
    const content = new Uint8Array(60_000).map((_, i) => (i * 7919) >> 5);
    const body = plain(gzipSync(content, { level: 0 }));
    const headerBytes = 10 + 5;
    for (const cut of [headerBytes + 1, 5_000, 40_000]) {
      const { bytes, fault } = await inflateBodyAsync('gzip', body.subarray(0, cut));
      expect(fault?.code).toBe('truncated_body');
      expect(bytes).toEqual(content.subarray(0, cut - headerBytes));
    }
  });

  it('damage at any place of any content: never less than what was cut off before it', async () => {
    await fc.assert(
      fc.asyncProperty(anyContent, anyOptions, fc.nat(), fc.integer({ min: 1, max: 255 }), async (content, options, at, flip) => {
        const body = plain(gzipSync(content, options));
        const place = at % body.length;
        const { bytes: before } = await inflateBodyAsync('gzip', body.subarray(0, place));
        body[place] = (body[place] ?? 0) ^ flip;
        const { bytes } = await inflateBodyAsync('gzip', body);
        expect(bytes.subarray(0, before.length)).toEqual(before);
      }),
      { numRuns: 300 },
    );
  });

  it('members behind one whose checksum is wrong are not read', async () => {
    const first = plain(gzipSync('one '));
    first[first.length - 6] = (first[first.length - 6] ?? 0) ^ 1;
    const { bytes, fault } = await inflateBodyAsync('gzip', Uint8Array.from([...first, ...GZIP]));
    expect(Buffer.from(bytes).toString()).toBe('one ');
    expect(fault?.code).toBe('corrupt_codec');
  });

  it('every optional field of the header is read, and may be cut off', async () => {
    const fields = [3, 0, 9, 9, 9, ...Buffer.from('name\0'), ...Buffer.from('comment\0')];
    const body = Uint8Array.from([0x1f, 0x8b, 8, 4 | 8 | 16, 0, 0, 0, 0, 0, 3, ...fields, ...GZIP.subarray(10)]);
    expect(await inflateBodyAsync('gzip', body)).toEqual({ bytes: CONTENT, fault: null });
    for (let cut = 0; cut < 10 + fields.length; cut++) {
      expect(await inflateBodyAsync('gzip', body.subarray(0, cut))).toMatchObject({
        bytes: new Uint8Array(),
        fault: { code: 'truncated_body' },
      });
    }
  });
});
