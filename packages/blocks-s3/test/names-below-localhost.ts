import dns from 'node:dns';
import { onTestFinished, vi } from 'vitest';

/** Until the test ends, every name below `localhost` is this machine: systems differ in whether they know that. */
export function namesBelowLocalhost(): void {
  const lookup = dns.lookup as (name: string, ...more: unknown[]) => void;
  const atHome = (name: string, ...more: unknown[]) => lookup(name.endsWith('.localhost') ? '127.0.0.1' : name, ...more);
  const spy = vi.spyOn(dns, 'lookup').mockImplementation(atHome);
  onTestFinished(() => spy.mockRestore());
}
