/** Where the schema is, and what its tables are made of: the same steps make it in this process, on a server and on a cluster. */
export interface Placement {
  readonly database: string;
  /** How many of its latest inserts a table remembers, to leave out one that comes again; 0 where inserts carry no identity. */
  readonly rememberedInserts: number;
  /** Questions of one kind that are worth being under way at the same time; what comes meanwhile is asked together. */
  readonly askedAtOnce: number;
  /** Name in the server's `system.clusters`. Then statements run on all of its servers, and tables are replicated. */
  readonly cluster?: string;
}

/** The engine in this process runs one statement after the other. */
export const IN_PROCESS: Placement = { database: 'playhead', rememberedInserts: 0, askedAtOnce: 1 };

/** Few, so that the others of a server's connections are left to whoever writes and lists. */
const ASKED_AT_ONCE = 3;

/** More than are sent while an insert of unknown outcome is repeated, few enough to be read in no time when a server starts. */
const REMEMBERED_INSERTS = 1000;

/**
 * The placement on a server.
 *
 * @param database letters, digits and underscores
 * @param cluster letters, digits, underscores, hyphens and points
 * @throws {RangeError} for any other name: names go into the text of statements
 */
export function placementOnServer(database: string, cluster?: string): Placement {
  if (!/^[A-Za-z_]\w{0,63}$/.test(database)) throw new RangeError(`no name of a database: ${database}`);
  const onServer = { database, rememberedInserts: REMEMBERED_INSERTS, askedAtOnce: ASKED_AT_ONCE };
  if (cluster === undefined) return onServer;
  if (!/^[\w.-]{1,64}$/.test(cluster)) throw new RangeError(`no name of a cluster: ${cluster}`);
  return { ...onServer, cluster };
}

/** What follows the name in a CREATE statement. */
export function onCluster(at: Placement): string {
  return at.cluster === undefined ? '' : ` ON CLUSTER '${at.cluster}'`;
}

/**
 * The engine of a table that every server of the cluster holds whole.
 *
 * The path in Keeper names the table and not its UUID, so that a server that joins later becomes a replica of the same
 * table. `{shard}` and `{replica}` are macros of each server, `{database}` and `{table}` ClickHouse's own.
 */
export function engine(at: Placement, name: 'ReplacingMergeTree' | 'AggregatingMergeTree'): string {
  return at.cluster === undefined ? name : `Replicated${name}('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')`;
}

/**
 * The settings of a table. Parts are fsynced, when inserted and when merged: the progress row must not survive a loss of
 * power that the rows before it did not. Replicated tables remember inserts by themselves (`replicated_deduplication_window`).
 */
export function tableSettings(at: Placement): string {
  const durable = 'SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1';
  const remembers = at.cluster === undefined && at.rememberedInserts > 0;
  return remembers ? `${durable}, non_replicated_deduplication_window = ${at.rememberedInserts}` : durable;
}
