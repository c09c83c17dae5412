import { openOneProcess } from '../src/deployment.ts';
import { mainJob } from '../src/main-job.ts';

mainJob('in one process', { open: () => openOneProcess(['--session-silence-ms', '20000']), openMsMax: 60_000, waitMsMax: 20_000 });
