/**
 * Where and how. Everything but the bucket may be left out; what is left out of endpoint, region and credentials comes from
 * the SDK's own chain (environment, shared configuration, identity of the container or machine).
 *
 * A bucket that is not there is made, in the region and with what its S3 gives to new buckets (on AWS: private, encrypted,
 * without versions); any number of processes may open it at once. It needs of its S3: writes that honour `If-None-Match: *`
 * (opening checks it; completing a multipart upload must too), reads that see earlier writes, lists in ascending order. AWS S3
 * (general purpose buckets), Versity S3 Gateway, and others that keep to those. Rights: `s3:GetObject`, `s3:PutObject`,
 * `s3:DeleteObject`, `s3:AbortMultipartUpload`, `s3:ListBucket` (without it, what is not there is told as forbidden), and
 * `s3:CreateBucket` where the bucket is to be made.
 *
 * Give the bucket a lifecycle rule that aborts incomplete multipart uploads after a day: a process that dies while it
 * uploads leaves parts, which no list shows and every provider charges for.
 */
export interface S3BlocksOptions {
  readonly bucket: string;
  /** Keys are kept below this, for several stores in one bucket: segments of a key joined by `/`, at most 500 characters. Default: none. */
  readonly prefix?: string | undefined;
  /** URL of the service, without the bucket. Default: AWS, by region. */
  readonly endpoint?: string | undefined;
  /** Default with an endpoint `us-east-1`, else the SDK's chain (`AWS_REGION`, ...). */
  readonly region?: string | undefined;
  /** True: `https://host/bucket/key`; false: `https://bucket.host/key`. Default: true with an endpoint, else false. */
  readonly pathStyle?: boolean | undefined;
  readonly credentials?: S3Credentials | undefined;
  /** For rights that only allow reading: opening then only lists, makes no bucket and tries no conditional write. Default false. */
  readonly readOnly?: boolean | undefined;
  /** Larger objects are uploaded in parts of this size, four at a time, which are held besides the object. Default 16 MiB, at least S3's minimum of 5 MiB. */
  readonly partBytes?: number | undefined;
  /** How long a connection may take to be there. Default 3 s. */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * How long one attempt may take until the head of its answer is there, waiting for a socket and sending the body included,
   * and how long a body may then stand still. Default 15 s.
   */
  readonly attemptTimeoutMs?: number | undefined;
  /** How long one request may take with all attempts, pauses and its body. Default 60 s. */
  readonly requestTimeoutMs?: number | undefined;
  /**
   * How often a request is tried that meets a failing network, throttling or a 5xx. Default 3. Pauses are the SDK's standard
   * ones: random, doubling from 0.1 s, and fewer when much fails.
   */
  readonly attempts?: number | undefined;
  /** Connections at a time; further requests wait. Default 50. */
  readonly socketsMax?: number | undefined;
}

/** Static credentials. Without them the SDK's default chain is asked, which also renews them. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface S3ClientSettings {
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  readonly pathStyle: boolean;
  readonly credentials: S3Credentials | undefined;
  readonly connectTimeoutMs: number;
  readonly attemptTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly attempts: number;
  readonly socketsMax: number;
}

const MIB = 1024 * 1024;

/** S3 refuses to complete an upload with a smaller part that is not the last. */
export const PART_BYTES_MIN = 5 * MIB;

export const DEFAULT_PART_BYTES = 16 * MIB;

/** The options with their defaults. */
export function clientSettingsOf(options: S3BlocksOptions): S3ClientSettings {
  const { endpoint, region, credentials } = options;
  return {
    endpoint,
    region: region ?? (endpoint === undefined ? undefined : 'us-east-1'),
    pathStyle: options.pathStyle ?? endpoint !== undefined,
    credentials,
    connectTimeoutMs: options.connectTimeoutMs ?? 3_000,
    attemptTimeoutMs: options.attemptTimeoutMs ?? 15_000,
    requestTimeoutMs: options.requestTimeoutMs ?? 60_000,
    attempts: options.attempts ?? 3,
    socketsMax: options.socketsMax ?? 50,
  };
}
