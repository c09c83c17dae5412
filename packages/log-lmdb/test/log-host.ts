/**
 * A thread that has a log open, lets the one that started it in, and opens the log anew for every message that it gets.
 * `workerData`: path and partitions. Posts a port for each opening.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { openLmdbLog } from '@playhead/log-lmdb';
import { v8Codec } from './v8-codec.ts';

const { path, partitions } = workerData as { path: string; partitions: number };
const open = () => openLmdbLog({ path, partitions, codec: v8Codec });

let log = await open();
function letIn(): void {
  const port = log.share();
  parentPort?.postMessage(port, [port]);
}
parentPort?.on('message', () => {
  void log.close().then(async () => {
    log = await open();
    letIn();
  });
});
letIn();
