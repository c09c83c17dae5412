import { describe, expect, it } from 'vitest';
import type { Finding } from '../src/fuzz.ts';
import { fuzz } from '../src/fuzz.ts';

const TABLE = new URL('../src/decoders.ts', import.meta.url);
const PLANTED = new URL('planted.ts', import.meta.url);
const SEED = 1;
/** Other processes share the machine. */
const PATIENCE_MS = 300_000;

/** What a person needs to see it again. */
function said({ decoder, what, bytes }: Finding): string {
  return `${what}\nnpm run fuzz -- --decoder ${decoder} --bytes ${Buffer.from(bytes).toString('hex')}`;
}

describe('every decoder of foreign bytes', () => {
  it('reads damaged bytes or says its fault, and keeps the whole frames before the damage', { timeout: PATIENCE_MS }, async () => {
    expect((await fuzz({ table: TABLE, seed: SEED, runs: 100 })).map(said)).toEqual([]);
  });
});

describe('the harness finds a planted decoder', () => {
  const found = (name: string, more: { hangMs?: number; heapMbMax?: number } = {}) =>
    fuzz({ table: PLANTED, seed: SEED, runs: 300, names: [name], ...more });

  it('but none that keeps its promises', async () => {
    expect(await found('sound')).toEqual([]);
  });

  it.each([
    ['crashing', /crash: TypeError: planted/],
    ['unsound', /more than 20/],
    ['changing', /bytes were changed/],
    ['refusing', /a sample is refused/],
    ['losing', /frames came out|do not come out/],
  ])('that is %s', async (name, what) => {
    const [finding, ...others] = await found(name);
    expect(finding).toMatchObject({ decoder: name, what: expect.stringMatching(what) as string });
    expect(others).toEqual([]);
  });

  it('that hangs, with the bytes it hangs on', async () => {
    const [finding] = await found('hanging', { hangMs: 1_000 });
    expect(finding).toMatchObject({ decoder: 'hanging', what: expect.stringMatching(/^hang/) as string });
    expect(finding?.bytes).toContain(0xaa);
  });

  it('that takes memory without end, with the bytes it does so on', async () => {
    const [finding] = await found('hoarding', { heapMbMax: 64 });
    expect(finding).toMatchObject({ decoder: 'hoarding', what: expect.stringMatching(/memory limit/) as string });
    expect(finding?.bytes).toContain(0xaa);
  });

  it('by the same bytes for the same seed, shrunk', async () => {
    const [[first], [second]] = await Promise.all([found('crashing'), found('crashing')]);
    expect(first).toEqual(second);
    expect(first?.bytes.length).toBeLessThan(16);
  });
});
