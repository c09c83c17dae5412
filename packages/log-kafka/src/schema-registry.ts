import { Compatibility, RestError, SchemaRegistryClient } from '@confluentinc/schemaregistry';
import { PlayheadError } from '@playhead/schemas';

/** What the codec needs of a schema registry, in our words. */
export interface SchemaRegistry {
  /**
   * Registers a schema where it is new, and answers its id.
   *
   * @throws {PlayheadError} `invalid_request` when what is registered forbids it, `unavailable`
   */
  register(subject: string, schema: string): Promise<number>;
  /**
   * The schema with this id; undefined when there is none.
   *
   * @throws {PlayheadError} `unavailable`
   */
  schema(subject: string, id: number): Promise<string | undefined>;
}

export interface SchemaRegistryOptions {
  readonly url: string;
  readonly auth?: { readonly username: string; readonly password: string };
  readonly timeoutMs?: number;
}

/** The client has none by itself. */
const TIMEOUT_MS = 5_000;
/** Its messages hold whole schemas. */
const REASON_CHARS_MAX = 500;

/** The binding of Confluent's client. */
export function registryOf({ url, auth, timeoutMs = TIMEOUT_MS }: SchemaRegistryOptions): SchemaRegistry {
  const client = new SchemaRegistryClient({
    baseURLs: [url],
    createAxiosDefaults: { timeout: timeoutMs },
    ...(auth ? { basicAuthCredentials: { credentialsSource: 'USER_INFO', userInfo: `${auth.username}:${auth.password}` } } : {}),
  });

  /** Some registries can be told of a subject only once it exists. */
  async function requireBackward(subject: string): Promise<boolean> {
    try {
      await client.updateCompatibility(subject, Compatibility.BACKWARD);
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      // Processes start together, and Apicurio refuses the second to say the same.
      if (await isBackward(subject)) return true;
      throw error;
    }
  }

  async function isBackward(subject: string): Promise<boolean> {
    try {
      return (await client.getCompatibility(subject)) === Compatibility.BACKWARD;
    } catch {
      return false;
    }
  }

  return {
    async register(subject, schema) {
      try {
        const required = await requireBackward(subject);
        const id = await client.register(subject, { schema, schemaType: 'AVRO' });
        if (!required && !(await requireBackward(subject))) throw new Error('it knows no such subject after registering it');
        return id;
      } catch (error) {
        const reason = reasonOf(error);
        if (error instanceof RestError && (error.status === 409 || error.status === 422)) {
          throw new PlayheadError('invalid_request', `the schema registry refuses today's schema of ${subject}: ${reason}`, {
            details: { subject },
            cause: error,
          });
        }
        throw new PlayheadError('unavailable', `the schema registry did not register ${subject}: ${reason}`, { cause: error });
      }
    },

    async schema(subject, id) {
      try {
        return (await client.getBySubjectAndId(subject, id)).schema;
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw new PlayheadError('unavailable', `the schema registry did not tell schema ${id}: ${reasonOf(error)}`, { cause: error });
      }
    },
  };
}

function isNotFound(error: unknown): boolean {
  return error instanceof RestError && error.status === 404;
}

function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, REASON_CHARS_MAX);
}
