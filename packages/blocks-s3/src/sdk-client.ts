import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import {
  AbortMultipartUploadCommand,
  S3Client as AwsClient,
  type S3ClientConfig as AwsClientConfig,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { faultOf } from './faults.ts';
import type { S3Client, S3Piece } from './s3-client.ts';
import { S3Fault } from './s3-client.ts';
import type { S3ClientSettings } from './settings.ts';

/** The user metadata (`x-amz-meta-...`) in which an object keeps its writer's mark. */
const MARK = 'playhead-put';

/** Binds {@link S3Client} to the AWS SDK, with its checksums: a body cut half way, or damaged, is then refused by whoever gets it. */
export function sdkClient(bucket: string, settings: S3ClientSettings): S3Client {
  const sdk = new AwsClient(configOf(settings));
  const Bucket = bucket;
  const running = new Set<AbortController>();

  /** Runs a request within its time, and not beyond `close`. */
  async function calling<T>(call: (options: { abortSignal: AbortSignal }) => Promise<T>): Promise<T> {
    const request = new AbortController();
    const timer = setTimeout(() => request.abort(), settings.requestTimeoutMs);
    running.add(request);
    try {
      return await call({ abortSignal: request.signal });
    } catch (error) {
      throw faultOf(error);
    } finally {
      clearTimeout(timer);
      running.delete(request);
    }
  }

  return {
    bucket,

    createBucket: async () => {
      try {
        // The SDK adds the region as its `LocationConstraint`, except where S3 does not want to be told: us-east-1.
        await calling((options) => sdk.send(new CreateBucketCommand({ Bucket }), options));
      } catch (error) {
        if (!(error instanceof S3Fault && error.kind === 'exists')) throw error;
      }
    },

    put: (Key, Body, mark) =>
      calling(async (options) => {
        await sdk.send(new PutObjectCommand({ Bucket, Key, Body, IfNoneMatch: '*', Metadata: { [MARK]: mark } }), options);
      }),

    beginParts: (Key, mark) =>
      calling(async (options) => {
        const command = new CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm: 'CRC32', Metadata: { [MARK]: mark } });
        return told((await sdk.send(command, options)).UploadId, 'the id of a multipart upload');
      }),

    putPart: (Key, UploadId, PartNumber, Body) =>
      calling(async (options) => {
        const command = new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body, ChecksumAlgorithm: 'CRC32' });
        const { ETag, ChecksumCRC32 } = await sdk.send(command, options);
        return { number: PartNumber, etag: told(ETag, 'the tag of a part'), crc32: ChecksumCRC32 };
      }),

    completeParts: (Key, UploadId, parts) =>
      calling(async (options) => {
        const Parts = parts.map(({ number, etag, crc32 }) => ({ PartNumber: number, ETag: etag, ChecksumCRC32: crc32 }));
        const command = { Bucket, Key, UploadId, IfNoneMatch: '*', MultipartUpload: { Parts } };
        await sdk.send(new CompleteMultipartUploadCommand(command), options);
      }),

    abortParts: (Key, UploadId) =>
      calling(async (options) => {
        await sdk.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }), options);
      }),

    get: (Key, range) =>
      calling(async (options) => {
        const Range = range && `bytes=${range.first}-${range.last}`;
        const { Body, ContentRange, ContentLength } = await sdk.send(new GetObjectCommand({ Bucket, Key, Range }), options);
        return pieceOf(await whole(Body, options.abortSignal), ContentLength, ContentRange);
      }),

    head: async (Key) => {
      try {
        const { ContentLength, Metadata } = await calling((options) => sdk.send(new HeadObjectCommand({ Bucket, Key }), options));
        return { bytes: told(ContentLength, 'the size of an object'), mark: Metadata?.[MARK] };
      } catch (error) {
        if (error instanceof S3Fault && error.kind === 'not_found') return null;
        throw error;
      }
    },

    listPage: (Prefix, ContinuationToken) =>
      calling(async (options) => {
        const page = await sdk.send(new ListObjectsV2Command({ Bucket, Prefix, ContinuationToken }), options);
        const objects = (page.Contents ?? []).map(({ Key, Size }) => ({ name: told(Key, 'a name'), bytes: told(Size, 'a size') }));
        return { objects, next: page.IsTruncated ? told(page.NextContinuationToken, 'how the list goes on') : undefined };
      }),

    delete: async (Key) => {
      try {
        await calling((options) => sdk.send(new DeleteObjectCommand({ Bucket, Key }), options));
      } catch (error) {
        if (!(error instanceof S3Fault && error.kind === 'not_found')) throw error;
      }
    },

    close: () => {
      for (const request of running) request.abort();
      sdk.destroy();
    },
  };
}

function configOf(settings: S3ClientSettings): AwsClientConfig {
  const { endpoint, region, credentials, socketsMax } = settings;
  // Agents of our own, and no `Expect: 100-continue`: with it the SDK opens an unbounded connection for each larger body.
  const agent = { keepAlive: true, maxSockets: socketsMax };
  return {
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(credentials === undefined ? {} : { credentials }),
    forcePathStyle: settings.pathStyle,
    expectContinueHeader: false,
    // The SDK's defaults, which the environment could turn off for other programs' sake: BS1 and BS7 rest on them.
    requestChecksumCalculation: 'WHEN_SUPPORTED',
    responseChecksumValidation: 'WHEN_SUPPORTED',
    retryMode: 'standard',
    maxAttempts: settings.attempts,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: settings.connectTimeoutMs,
      requestTimeout: settings.attemptTimeoutMs,
      throwOnRequestTimeout: true,
      socketTimeout: settings.attemptTimeoutMs,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent(agent),
      // It would write to the console that requests wait for a socket, which is what the bound is for.
      logger: { debug: silent, info: silent, warn: silent, error: silent },
    }),
  };
}

function silent(): void {}

/** How the SDK begins to say that a checksum differs: its errors for it have no name of their own. */
const MISMATCH = 'Checksum mismatch';

/** @throws {S3Fault} `cut` when the body does not come whole, `damaged` when its checksum differs; the SDK does not repeat such a read */
async function whole(body: { transformToByteArray(): Promise<Uint8Array> } | undefined, signal: AbortSignal): Promise<Uint8Array> {
  try {
    return (await body?.transformToByteArray()) ?? new Uint8Array();
  } catch (error) {
    if (signal.aborted) throw new S3Fault('unknown', 'AbortError', { message: 'the answer did not end in time', cause: error });
    if (error instanceof Error && error.message.startsWith(MISMATCH)) {
      throw new S3Fault('damaged', 'ChecksumMismatch', { message: error.message, cause: error });
    }
    throw new S3Fault('cut', faultOf(error).reason, { message: 'the answer ended too soon', cause: error });
  }
}

/** @param range of the answer, `bytes first-last/total`; a server that does not do ranges leaves it out and sends the whole */
function pieceOf(bytes: Uint8Array, length: number | undefined, range: string | undefined): S3Piece {
  if (length !== undefined && length !== bytes.length) {
    throw new S3Fault('cut', 'LengthMismatch', { message: `${bytes.length} of ${length} bytes arrived` });
  }
  if (range === undefined) return { bytes, offset: 0, total: bytes.length };
  const [, first, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(range) ?? [];
  if (first === undefined || total === undefined) throw new S3Fault('unknown', 'ContentRange', { message: `not a range: ${range}` });
  return { bytes, offset: Number(first), total: Number(total) };
}

function told<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new S3Fault('unknown', 'Incomplete', { message: `the answer does not tell ${what}` });
  return value;
}
