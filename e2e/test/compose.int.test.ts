import { noCompose, openCompose } from '../src/compose.ts';
import { mainJob } from '../src/main-job.ts';

// The partitions of processors that were killed are taken over after 10 s, and the next flush is made 10 s later.
mainJob('after docker compose up --wait', { open: openCompose, openMsMax: 300_000, waitMsMax: 30_000, left: noCompose });
