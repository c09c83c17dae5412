import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const SOURCES = join(import.meta.dirname, '../src');
const SPEC = join(import.meta.dirname, '../../ports/SPEC.md');

/** Rule ids that SPEC.md promises, in its order. */
function rulesIn(spec: string): string[] {
  return [...spec.matchAll(/^- \*\*([A-Z]{2}\d+)\*\*/gm)].map((match) => match[1] ?? '');
}

/** Rule ids that test titles begin with. */
function rulesTested(source: string): string[] {
  return [...source.matchAll(/\b(?:test|it)\(\s*['"`]\[?([A-Z]{2}\d+)\b/g)].map((match) => match[1] ?? '');
}

/** Rules without a test, and titles without a rule. */
function differences(rules: readonly string[], tested: readonly string[]): { untested: string[]; unknown: string[] } {
  return {
    untested: rules.filter((rule) => !tested.includes(rule)),
    unknown: tested.filter((rule) => !rules.includes(rule)),
  };
}

const rules = rulesIn(readFileSync(SPEC, 'utf8'));
const suites = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('-contract.ts'));
const tested = suites.flatMap((file) => rulesTested(readFileSync(join(SOURCES, file), 'utf8')));

describe('SPEC.md and the contract suites name the same rules', () => {
  test('no rule is written twice, and the three ports are all there', () => {
    expect(new Set(rules).size).toBe(rules.length);
    expect(suites.length).toBeGreaterThanOrEqual(3);
    expect([...new Set(rules.map((rule) => rule.slice(0, 2)))]).toEqual(['EL', 'BS', 'CA']);
  });

  test.each(['EL', 'BS', 'CA'])('%s: every rule has a test and every title has a rule', (port) => {
    const of = (ids: readonly string[]): string[] => ids.filter((id) => id.startsWith(port));
    expect(of(rules).length).toBeGreaterThanOrEqual(7);
    expect(differences(of(rules), of(tested))).toEqual({ untested: [], unknown: [] });
  });

  test('no title begins with the rule of another document', () => {
    expect(differences(rules, tested).unknown).toEqual([]);
  });

  test('the check sees a missing test and an invented rule', () => {
    const planted = rulesTested(`test('EL1 is kept', ...); it("[EL99] is invented", ...)`);
    expect(differences(rulesIn('- **EL1** a\n- **EL2** b'), planted)).toEqual({ untested: ['EL2'], unknown: ['EL99'] });
  });
});
