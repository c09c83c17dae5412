import type { KafkaFaultKind } from '../kafka-client.ts';
import { KafkaFault } from '../kafka-client.ts';

/** Kafka's error codes that mean something to the log, by kafkajs's names for them. What is not here is `refused`. */
const KIND_OF_CODE: Readonly<Record<string, KafkaFaultKind>> = {
  OFFSET_OUT_OF_RANGE: 'out_of_range',
  NOT_LEADER_FOR_PARTITION: 'moved',
  LEADER_NOT_AVAILABLE: 'moved',
  UNKNOWN_TOPIC_OR_PARTITION: 'moved',
  REPLICA_NOT_AVAILABLE: 'moved',
  FENCED_LEADER_EPOCH: 'moved',
  UNKNOWN_LEADER_EPOCH: 'moved',
  OFFSET_NOT_AVAILABLE: 'moved',
  KAFKA_STORAGE_ERROR: 'moved',
  NOT_ENOUGH_REPLICAS: 'moved',
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 'moved',
  REQUEST_TIMED_OUT: 'moved',
  GROUP_LOAD_IN_PROGRESS: 'moved',
  GROUP_COORDINATOR_NOT_AVAILABLE: 'moved',
  NOT_COORDINATOR_FOR_GROUP: 'moved',
  REBALANCE_IN_PROGRESS: 'rejoin',
  UNKNOWN_MEMBER_ID: 'expelled',
  ILLEGAL_GENERATION: 'expelled',
};

interface KafkajsError extends Error {
  readonly type?: string;
}

/**
 * kafkajs's failures in our words. What is not an answer of a broker (lost connections, time-outs, errors of a client whose
 * connection went away under it) is `unreachable`: a new connection is the way out of all of them.
 */
export function faultOf(error: unknown): KafkaFault {
  if (error instanceof KafkaFault) return error;
  const cause = causeOf(error);
  const message = cause.message.slice(0, 500);
  if (cause.type === undefined) return new KafkaFault('unreachable', message, { cause });
  return new KafkaFault(KIND_OF_CODE[cause.type] ?? 'refused', `${cause.type}: ${message}`, { cause });
}

/** kafkajs wraps what ended its retries. */
function causeOf(error: unknown): KafkajsError {
  let inner: KafkajsError = error instanceof Error ? error : new Error(String(error));
  while (inner.type === undefined && inner.cause instanceof Error) inner = inner.cause;
  return inner;
}
