import { defineConfig } from 'vitest/config';

/** The tests that own the rules of pure code. Those of drivers notice more, but take seconds, for each of thousands of changes: so rebuild/core is not scored. */
export default defineConfig({
  test: {
    testTimeout: 60_000,
    include: [
      'schemas/test/{flush-chain,marks,wire}.test.ts',
      'ingest/test/{core,acknowledging,refusing,signals}.test.ts',
      'live-gateway/test/handover.test.ts',
      'packages/log-kafka/test/assign.test.ts',
      'player/src/core/*.test.ts',
      'processors/test/{checkpoint,compactor,lifecycle,merger-core,movable-body,read-frames,session-block,sweep}.test.ts',
      'recorder/test/*-core.test.ts',
    ],
  },
});
