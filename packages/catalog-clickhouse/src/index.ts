export { clickHouseCatalog } from './clickhouse-catalog.ts';
export type { ClickHouseOptions } from './open-clickhouse-catalog.ts';
export { emptyClickHouseCatalog, openClickHouse, openClickHouseCatalog } from './open-clickhouse-catalog.ts';
export type { SqlClient, SqlParams, SqlRow } from './sql-client.ts';
export { sqlOverClickHouse } from './sql-over-clickhouse.ts';
