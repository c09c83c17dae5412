import { eventLogContract, memoryLog } from '@playhead/testkit';

eventLogContract('memoryLog', async (setup) => ({ log: memoryLog(setup) }));
eventLogContract('memoryLog with holes', async (setup) => ({ log: memoryLog({ ...setup, holeEvery: 3 }) }));
eventLogContract('memoryLog with a hole behind every record', async (setup) => ({ log: memoryLog({ ...setup, holeEvery: 1 }) }));
