import { appendFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

/**
 * Ends a run with what did not run and why, and the totals alone on the last line. A file that cannot be loaded, a
 * hook that fails, and an error outside of any test count as failures.
 */
export default class TotalsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    let passed = 0;
    let failed = unhandled.length;
    const skipped: string[] = [];
    for (const module of modules) {
      if (module.errors().length > 0) failed++;
      for (const suite of module.children.allSuites()) if (suite.errors().length > 0) failed++;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') passed++;
        else if (result.state === 'failed') failed++;
        else
          skipped.push(
            `${module.relativeModuleId}: ${test.fullName}${result.state === 'skipped' && result.note ? ` (${result.note})` : ''}`,
          );
      }
    }
    const lines = skipped.length > 0 ? ['', 'Not run:', ...skipped.map((line) => `  - ${line}`), ''] : [];
    const totals = `${passed} passed, ${failed} failed, ${skipped.length} skipped`;
    process.stdout.write(`${[...lines, totals].join('\n')}\n`);
    const file = process.env['PLAYHEAD_TOTALS_FILE'];
    if (file) appendFileSync(file, `${totals}\n`);
  }
}
