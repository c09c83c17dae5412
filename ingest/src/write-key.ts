import type { FastifyRequest } from 'fastify';

/**
 * The write key of a request: `?key=`, which a beacon can send, or `Authorization: Bearer`. undefined when there is none, when
 * a parameter is given twice, or when both are given and differ.
 */
export function keyOf(request: FastifyRequest): string | undefined {
  const { key } = request.query as { key?: unknown };
  const bearer = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (key === undefined) return bearer;
  if (typeof key !== 'string' || (bearer !== undefined && bearer !== key)) return undefined;
  return key;
}
