/**
 * One table of codes: what goes over HTTP, into `playhead.rejected` and into logs. A code is stable; its text may change.
 * `status` is the HTTP status where the code is answered to a client.
 */
export const ERROR_CODES = {
  unauthorized: { status: 401, retryable: false, text: 'The key or token is missing or wrong.' },
  forbidden: { status: 403, retryable: false, text: 'This origin or token may not do that.' },
  session_not_found: { status: 404, retryable: false, text: 'There is no such session.' },
  not_found: { status: 404, retryable: false, text: 'There is nothing here.' },
  position_gone: { status: 410, retryable: false, text: 'The log no longer holds that position.' },
  session_expired: { status: 410, retryable: false, text: 'The session is too old to take uploads.' },
  too_large: { status: 413, retryable: false, text: 'The body is larger than the limit.' },
  inflated_too_large: { status: 413, retryable: false, text: 'The body is larger than the limit after decompression.' },
  range_not_satisfiable: { status: 416, retryable: false, text: 'The range is outside of the object.' },
  invalid_request: { status: 422, retryable: false, text: 'The request has a wrong shape.' },
  invalid_body: { status: 422, retryable: false, text: 'No whole frame can be read from the body.' },
  truncated_body: { status: 422, retryable: false, text: 'The body ends inside a frame.' },
  corrupt_codec: { status: 422, retryable: false, text: 'The compressed body is damaged.' },
  frame_too_large: { status: 422, retryable: false, text: 'A frame is larger than the limit.' },
  frame_empty: { status: 422, retryable: false, text: 'A frame has no bytes.' },
  frame_not_image: { status: 422, retryable: false, text: 'A frame that should be a picture is not one.' },
  frame_not_json: { status: 422, retryable: false, text: 'A frame that should be JSON is not.' },
  frame_part_invalid: { status: 422, retryable: false, text: 'A frame is called a part where there can be none.' },
  frame_track_unknown: { status: 422, retryable: false, text: 'A frame has an unknown track.' },
  timestamp_out_of_range: { status: 422, retryable: false, text: 'A timestamp is in another unit, before the epoch, or too far ahead.' },
  too_many_frames: { status: 422, retryable: false, text: 'The upload has more frames than the limit.' },
  unreadable_record: { status: 500, retryable: false, text: 'A log record cannot be decoded.' },
  too_many_requests: { status: 429, retryable: true, text: 'Too many requests; wait.' },
  log_unavailable: { status: 503, retryable: true, text: 'The log does not take records now.' },
  overloaded: { status: 503, retryable: true, text: 'Too much is in flight; wait.' },
  unavailable: { status: 503, retryable: true, text: 'A part of the system does not answer now.' },
  internal: { status: 500, retryable: true, text: 'Something went wrong.' },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** The body of every error answer. */
export interface ErrorBody {
  readonly error: { readonly code: ErrorCode; readonly message: string; readonly details?: Readonly<Record<string, unknown>> };
}

/** An operating error: expected, named, answered. Programmer errors are assertions instead. */
export class PlayheadError extends Error {
  override readonly name = 'PlayheadError';
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message?: string, options: { details?: Record<string, unknown>; cause?: unknown } = {}) {
    super(message ?? ERROR_CODES[code].text, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }

  get status(): number {
    return ERROR_CODES[this.code].status;
  }

  toBody(): ErrorBody {
    const details = Object.keys(this.details).length > 0 ? { details: this.details } : {};
    return { error: { code: this.code, message: this.message, ...details } };
  }
}
