import { createRequire } from 'node:module';

interface RequestQueue {
  readonly pending: readonly unknown[];
}

interface RequestQueueMethods {
  scheduleCheckPendingRequests: (this: RequestQueue) => void;
}

/**
 * After every answer kafkajs sets a timer to look at the requests that wait for their turn, `throttledUntil - now` ms ahead:
 * far in the past where nothing was throttled. Node 24 warns of that (TimeoutNegativeWarning). Where nothing waits there is
 * nothing to look at: no timer then. With something waiting kafkajs computes a time ahead by itself.
 */
const queue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as { readonly prototype: RequestQueueMethods };
const schedule = queue.prototype.scheduleCheckPendingRequests;
queue.prototype.scheduleCheckPendingRequests = function scheduleWherePending(): void {
  if (this.pending.length > 0) schedule.call(this);
};
