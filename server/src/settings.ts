import { parseArgs } from 'node:util';

/**
 * Every setting of the server, in one table: `--help`, the environment, validation and docs/settings.md all
 * come from it.
 */
interface SettingRow<T> {
  readonly flag: string;
  readonly env: string;
  readonly fallback: T;
  readonly unit: string;
  readonly about: string;
  /** @throws {SettingFault} */
  readonly parse: (text: string) => T;
}

/** A setting that cannot be used, and why: shown to the operator as it is. */
export class SettingFault extends Error {
  override readonly name = 'SettingFault';
}

function text(value: string): string {
  if (value.trim() === '') throw new SettingFault('must not be empty');
  return value;
}

/** Anything, also nothing. */
function any(value: string): string {
  return value;
}

/** Scheme, host and port, nothing behind them. */
function origin(value: string): string {
  const url = URL.parse(value);
  if (url === null || !/^https?:$/.test(url.protocol) || url.href !== `${url.origin}/`)
    throw new SettingFault('must be an origin such as https://playhead.example');
  return url.origin;
}

function list(value: string): readonly string[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function integer(min: number, max: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < min || number > max) throw new SettingFault(`must be a whole number from ${min} to ${max}`);
    return number;
  };
}

function oneOf<T extends string>(...choices: readonly T[]): (value: string) => T {
  return (value) => {
    const choice = choices.find((candidate) => candidate === value);
    if (choice === undefined) throw new SettingFault(`must be one of ${choices.join(', ')}`);
    return choice;
  };
}

/** Parts of the system that a process may take on. */
export const ROLES = ['ingest', 'processors', 'live-gateway', 'player'] as const;
export type Role = (typeof ROLES)[number];

function roles(value: string): ReadonlySet<Role> {
  if (value === 'all') return new Set(ROLES);
  return new Set(value.split(',').map((name) => oneOf(...ROLES)(name.trim())));
}

function row<T>(flag: string, fallback: T, parse: (text: string) => T, unit: string, about: string): SettingRow<T> {
  return { flag, env: `PLAYHEAD_${flag.replaceAll('-', '_').toUpperCase()}`, fallback, unit, about, parse };
}

export const SETTINGS = {
  role: row('role', new Set(ROLES) as ReadonlySet<Role>, roles, 'roles', `What this process does: all, or some of ${ROLES.join(', ')}.`),
  data: row('data', './data', text, 'path', 'Where everything is kept. One process per directory.'),
  host: row('host', '127.0.0.1', text, 'address', 'Address to listen on. Anything but loopback opens the door to the network.'),
  port: row('port', 4750, integer(0, 65_535), 'port', 'Port of the web app, the recorders and the API. 0 picks a free one.'),
  shopPort: row('shop-port', 4751, integer(0, 65_535), 'port', 'Port of the demo shop. 0 picks a free one.'),
  shop: row('shop', 'on', oneOf('on', 'off'), 'on, off', 'Whether the demo shop is served.'),
  publicUrl: row(
    'public-url',
    '',
    origin,
    'url',
    'Origin at which browsers reach this installation, where that is not the address it listens on: a proxy in front.',
  ),
  shopUrl: row('shop-url', '', origin, 'url', 'The same of the demo shop.'),
  partitions: row('partitions', 4, integer(1, 1024), 'count', 'Partitions of the log. Fixed when the data directory is made.'),
  flushAgeMs: row('flush-age-ms', 10_000, integer(100, 600_000), 'ms', 'A flush is made when its oldest upload is this old.'),
  flushBytesMax: row(
    'flush-bytes-max',
    104_857_600,
    integer(1_048_576, 1_073_741_824),
    'bytes',
    'A flush is made when it has grown to this size.',
  ),
  sessionSilenceMs: row(
    'session-silence-ms',
    60_000,
    integer(1_000, 86_400_000),
    'ms',
    'A session ends after this silence of its last window.',
  ),
  mergeAfterMs: row(
    'merge-after-ms',
    600_000,
    integer(0, 604_800_000),
    'ms',
    'The blocks of a session are merged when it ended this long ago.',
  ),
  mergeAgeMs: row(
    'merge-age-ms',
    3_600_000,
    integer(0, 604_800_000),
    'ms',
    'A merge is made when it would be of some size, or when a session in it ended this long ago.',
  ),
  sweepEveryMs: row('sweep-every-ms', 600_000, integer(1_000, 86_400_000), 'ms', 'How often objects that nobody refers to are removed.'),
  sweepGraceMs: row(
    'sweep-grace-ms',
    3_600_000,
    integer(0, 604_800_000),
    'ms',
    'For how long an object stays after its blocks were merged. Longer than catalog replicas are behind, and than a viewer takes to read a block.',
  ),
  drainMs: row(
    'drain-ms',
    0,
    integer(0, 600_000),
    'ms',
    'How long a process that is told to end says so at /readyz before it stops taking requests.',
  ),
  projects: row(
    'projects',
    '',
    any,
    'path',
    'File of projects, write keys and viewers. In one process: `projects.json` in the data directory.',
  ),
  kafkaBrokers: row(
    'kafka-brokers',
    [] as readonly string[],
    list,
    'host:port,...',
    'Log on Kafka. Makes the process one of a cluster; its roles then need a schema registry, S3, ClickHouse and a projects file.',
  ),
  kafkaReplication: row('kafka-replication', 3, integer(1, 9), 'count', 'Replicas of each topic that is created.'),
  kafkaClient: row(
    'kafka-client',
    'platformatic',
    oneOf('platformatic', 'kafkajs'),
    'platformatic, kafkajs',
    'Which library speaks with the brokers. Processes may differ in it.',
  ),
  kafkaTls: row('kafka-tls', 'off', oneOf('on', 'off'), 'on, off', 'Whether brokers are reached over TLS.'),
  kafkaSasl: row(
    'kafka-sasl',
    'off',
    oneOf('off', 'plain', 'scram-sha-256', 'scram-sha-512'),
    'mechanism',
    'How this process says who it is: off, plain, scram-sha-256, scram-sha-512.',
  ),
  kafkaUser: row('kafka-user', '', any, 'name', 'Its user there.'),
  kafkaPassword: row('kafka-password', '', any, 'secret', 'Better given by the environment than by a flag.'),
  schemaRegistry: row('schema-registry', '', any, 'url', 'Confluent-compatible schema registry.'),
  schemaRegistryUser: row('schema-registry-user', '', any, 'name', 'Its user. Empty: nobody is asked.'),
  schemaRegistryPassword: row('schema-registry-password', '', any, 'secret', 'Better given by the environment than by a flag.'),
  s3Bucket: row('s3-bucket', '', any, 'name', 'Bucket of the block store; made when absent.'),
  s3Endpoint: row('s3-endpoint', '', any, 'url', 'S3 service. Empty: AWS.'),
  s3PathStyle: row(
    's3-path-style',
    'auto',
    oneOf('auto', 'on', 'off'),
    'auto, on, off',
    'Whether the bucket is in the path of an address, or its host name; auto: in the path, with an endpoint of your own.',
  ),
  s3Region: row('s3-region', '', any, 'name', 'Region of the bucket. Empty: as the environment says.'),
  s3AccessKeyId: row('s3-access-key-id', '', any, 'id', 'Empty: credentials as the environment gives them.'),
  s3SecretAccessKey: row('s3-secret-access-key', '', any, 'secret', 'Better given by the environment than by a flag.'),
  clickhouse: row('clickhouse', '', any, 'url', 'ClickHouse server of the catalog, its HTTP interface.'),
  clickhouseUser: row('clickhouse-user', 'default', any, 'name', 'Its user.'),
  clickhousePassword: row('clickhouse-password', '', any, 'secret', 'Better given by the environment than by a flag.'),
  clickhouseDatabase: row('clickhouse-database', 'playhead', text, 'name', 'Its database; made when absent.'),
  clickhouseCluster: row('clickhouse-cluster', '', any, 'name', 'Name of a replicated cluster. Empty: one server.'),
  logLevel: row('log-level', 'info', oneOf('debug', 'info', 'warn', 'error'), 'level', 'How much is logged.'),
  logFormat: row(
    'log-format',
    'auto',
    oneOf('auto', 'pretty', 'json'),
    'format',
    'Lines for people, or JSON; auto: for people on a terminal.',
  ),
} as const;

type SettingName = keyof typeof SETTINGS;
type ValueOf<R> = R extends SettingRow<infer T> ? T : never;
export type Settings = { readonly [Name in SettingName]: ValueOf<(typeof SETTINGS)[Name]> };

/**
 * Reads the settings: a flag wins over the environment, that over the default.
 *
 * @param args the words behind the command
 * @param inPlaceOf of a command that is no role itself: the role that it needs the engines of, whatever `role` says
 * @throws {SettingFault} naming the flag or variable at fault
 */
export function readSettings(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  inPlaceOf?: Role,
): Settings | 'help' {
  const flags = parseFlags(args);
  if (flags['help'] === true) return 'help';
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(SETTINGS)) {
    const flag = flags[setting.flag];
    const given = typeof flag === 'string' ? { from: `--${setting.flag}`, value: flag } : { from: setting.env, value: env[setting.env] };
    if (given.value === undefined) {
      values[name] = setting.fallback;
      continue;
    }
    try {
      values[name] = setting.parse(given.value);
    } catch (error) {
      if (error instanceof SettingFault) throw new SettingFault(`${given.from}=${given.value}: ${error.message}`);
      throw error;
    }
  }
  const settings = values as Settings;
  if (inPlaceOf === undefined) return consistent(settings);
  return consistent({ ...settings, role: new Set(settings.kafkaBrokers.length === 0 ? ROLES : [inPlaceOf]) });
}

/** What a process of a cluster must be told, by role. */
const CLUSTER_NEEDS: Readonly<Record<Role, readonly SettingName[]>> = {
  ingest: ['schemaRegistry', 'projects'],
  processors: ['schemaRegistry', 's3Bucket', 'clickhouse'],
  'live-gateway': ['schemaRegistry', 's3Bucket', 'clickhouse', 'projects'],
  player: ['projects'],
};

/** @throws {SettingFault} where settings contradict each other */
function consistent(settings: Settings): Settings {
  if (settings.kafkaBrokers.length === 0) {
    if (settings.role.size < ROLES.length)
      throw new SettingFault('--role needs --kafka-brokers: one process without a cluster has all roles');
    return settings;
  }
  const needs = new Set(ROLES.filter((role) => settings.role.has(role)).flatMap((role) => CLUSTER_NEEDS[role]));
  const missing = [...needs].filter((name) => settings[name] === '').map((name) => `--${SETTINGS[name].flag}`);
  if (settings.kafkaSasl !== 'off' && settings.kafkaUser === '') throw new SettingFault('--kafka-sasl needs --kafka-user');
  if (missing.length > 0) throw new SettingFault(`--kafka-brokers needs ${missing.join(', ')} as well`);
  return settings;
}

function parseFlags(args: readonly string[]): Record<string, string | boolean | undefined> {
  const options: Record<string, { type: 'string' | 'boolean'; short?: string }> = { help: { type: 'boolean', short: 'h' } };
  for (const setting of Object.values(SETTINGS)) options[setting.flag] = { type: 'string' };
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new SettingFault(error instanceof Error ? error.message : String(error));
  }
}

function defaultText(value: unknown): string {
  if (value instanceof Set) return 'all';
  if (Array.isArray(value) || value === '') return 'empty';
  return typeof value === 'number' ? value.toString() : (value as string);
}

/** The text of `--help`. */
export function helpText(): string {
  const lines = Object.values(SETTINGS).map((setting) => {
    const left = `  --${setting.flag} <${setting.unit}>`;
    return `${left.padEnd(34)} ${setting.about}\n${''.padEnd(34)} ${setting.env}, default ${defaultText(setting.fallback)}`;
  });
  return [
    'Playhead: session replay with live tailing, in one process.',
    '',
    '  npm start -- [flags]',
    '',
    ...lines,
    '',
    '  -h, --help'.padEnd(34) + ' This text.',
  ].join('\n');
}

/** docs/settings.md: regenerated by `npm run docs`, compared in a test. */
export function settingsDocument(): string {
  const rows = Object.values(SETTINGS).map(
    (setting) =>
      `| \`--${setting.flag}\` | \`${setting.env}\` | ${setting.unit} | \`${defaultText(setting.fallback)}\` | ${setting.about} |`,
  );
  return [
    '# Settings',
    '',
    'Made by `npm run docs` from `server/src/settings.ts`. A flag wins over the environment.',
    '',
    '| flag | environment | unit | default | what it does |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
