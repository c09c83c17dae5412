import type { KafkaFaultKind } from './kafka-client.ts';

/** Kafka's error codes that mean something to the log. */
const KINDS: readonly (readonly [code: number, name: string, kind: KafkaFaultKind])[] = [
  [1, 'OFFSET_OUT_OF_RANGE', 'out_of_range'],
  [3, 'UNKNOWN_TOPIC_OR_PARTITION', 'moved'],
  [5, 'LEADER_NOT_AVAILABLE', 'moved'],
  [6, 'NOT_LEADER_OR_FOLLOWER', 'moved'],
  [7, 'REQUEST_TIMED_OUT', 'moved'],
  [9, 'REPLICA_NOT_AVAILABLE', 'moved'],
  [14, 'COORDINATOR_LOAD_IN_PROGRESS', 'moved'],
  [15, 'COORDINATOR_NOT_AVAILABLE', 'moved'],
  [16, 'NOT_COORDINATOR', 'moved'],
  [19, 'NOT_ENOUGH_REPLICAS', 'moved'],
  [20, 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'moved'],
  [22, 'ILLEGAL_GENERATION', 'expelled'],
  [25, 'UNKNOWN_MEMBER_ID', 'expelled'],
  [27, 'REBALANCE_IN_PROGRESS', 'rejoin'],
  [41, 'NOT_CONTROLLER', 'moved'],
  [56, 'KAFKA_STORAGE_ERROR', 'moved'],
  [74, 'FENCED_LEADER_EPOCH', 'moved'],
  [75, 'UNKNOWN_LEADER_EPOCH', 'moved'],
  [78, 'OFFSET_NOT_AVAILABLE', 'moved'],
];
const KIND_OF_CODE = new Map(KINDS.map(([code, , kind]) => [code, kind]));

/** What an error code of an answer means; `refused` for all that are not listed. */
export function kindOfCode(code: number): KafkaFaultKind {
  return KIND_OF_CODE.get(code) ?? 'refused';
}
