import { existsSync } from 'node:fs';
import process from 'node:process';

/**
 * Why integration tests cannot run here; '' when they can. A container runtime is one that testcontainers would find: `DOCKER_HOST`, or
 * the usual socket. Titles of what is left out name the reason.
 */
export const noContainers =
  process.env['DOCKER_HOST'] === undefined && !existsSync('/var/run/docker.sock') ? 'no container runtime: DOCKER_HOST is not set' : '';
