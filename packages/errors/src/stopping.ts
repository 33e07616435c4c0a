import type { Socket } from 'node:net';
import type { SecurityRequest } from '@portcullis/core';

/** How a health endpoint learns of the stop: the server leaves its signal on every connection that it accepts. */
const STOPPING = Symbol.for('portcullis.stopping');

type MarkedSocket = Socket & { [STOPPING]?: AbortSignal };

export function markConnection(socket: Socket, stopping: AbortSignal): void {
  (socket as MarkedSocket)[STOPPING] = stopping;
}

/** True if the request came in through a `secureServer()` that has begun to stop. */
export function isStopping(req: SecurityRequest): boolean {
  return (req.socket as MarkedSocket | undefined)?.[STOPPING]?.aborted === true;
}
