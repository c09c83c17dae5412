import type { AddressInfo } from 'node:net';
import process from 'node:process';
import Fastify from 'fastify';

/** The baseline of ingest: a route that reads a body and answers 204. Prints its port. */
const app = Fastify({ bodyLimit: 32 * 1024 * 1024 });
app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_, body, done) => done(null, body));
app.post('/*', (_, reply) => reply.code(204).send());
await app.listen({ port: 0, host: '127.0.0.1' });
process.stdout.write(`${(app.server.address() as AddressInfo).port}\n`);
