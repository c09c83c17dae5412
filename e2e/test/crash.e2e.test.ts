import { crashTest } from '../src/crash/crash-test.ts';

crashTest('one process', { on: 'one-process', openMsMax: 60_000 });
