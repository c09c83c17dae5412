import { defineConfig } from 'vitest/config';

/** Whole clusters take a machine for themselves: they run after everything else, one at a time. */
const CLUSTERS = 'e2e/**/*.int.test.ts';

export default defineConfig({
  test: {
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: ['default', './infra/checks/totals-reporter.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'parts',
          include: ['**/*.test.ts'],
          exclude: ['**/node_modules/**', '**/dist/**', '**/data/**', CLUSTERS],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      { extends: true, test: { name: 'clusters', include: [CLUSTERS], maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
});
