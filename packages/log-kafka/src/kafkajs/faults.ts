import { kindOfCode } from '../fault-codes.ts';
import { KafkaFault } from '../kafka-client.ts';

interface KafkajsError extends Error {
  /** Of an answer: Kafka's name of the error, and its code. */
  readonly type?: string;
  readonly code?: number;
}

const UNKNOWN = -1;

/**
 * kafkajs's failures in our words. What is not an answer of a broker (lost connections, time-outs, errors of a client whose
 * connection went away under it) is `unreachable`: a new connection is the way out of all of them.
 */
export function faultOf(error: unknown): KafkaFault {
  if (error instanceof KafkaFault) return error;
  const cause = causeOf(error);
  const message = cause.message.slice(0, 500);
  if (cause.type === undefined) return new KafkaFault('unreachable', message, { cause });
  return new KafkaFault(kindOfCode(cause.code ?? UNKNOWN), `${cause.type}: ${message}`, { cause });
}

/** kafkajs wraps what ended its retries. */
function causeOf(error: unknown): KafkajsError {
  let inner: KafkajsError = error instanceof Error ? error : new Error(String(error));
  while (inner.type === undefined && inner.cause instanceof Error) inner = inner.cause;
  return inner;
}
