import { context, createEvents, type SecurityEvent } from '@portcullis/core';
import type { ExpressLike } from '@portcullis/test-support';
import type { NextFunction, Request, Response } from 'express';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { request, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createUploads,
  diskSink,
  type FileRule,
  type ReceiveOptions,
  type Uploads,
  type UploadsOptions,
} from '../../src/uploads.js';

export interface Part {
  readonly field?: string;
  readonly name?: string | undefined;
  readonly type?: string;
  readonly data: Buffer | string;
  /** In the place of the usual Content-Disposition. */
  readonly disposition?: string;
}

const BOUNDARY = 'portcullis-test-boundary';

export function multipart(parts: readonly Part[], { end = `--${BOUNDARY}--\r\n` } = {}): Buffer {
  const blocks = parts.map(({ field = 'file', name, type, data, disposition }) =>
    Buffer.concat([
      Buffer.from(
        `--${BOUNDARY}\r\nContent-Disposition: ${disposition ?? `form-data; name="${field}"${name === undefined ? '' : `; filename="${name}"`}`}\r\n` +
          `${type === undefined ? '' : `Content-Type: ${type}\r\n`}\r\n`,
      ),
      Buffer.from(data),
      Buffer.from('\r\n'),
    ]),
  );
  return Buffer.concat([...blocks, Buffer.from(end)]);
}

export interface Answer {
  readonly status: number;
  readonly body: {
    readonly code?: string;
    readonly problem?: { readonly reason?: string; readonly field?: string };
    readonly files?: readonly Record<string, unknown>[];
    readonly body?: unknown;
  };
}

export interface Station {
  readonly url: { readonly port: number };
  readonly directory: string;
  readonly uploads: Uploads;
  readonly events: SecurityEvent[];
  /** Files below the folder, those of the spool included, whatever they are called. */
  left(): readonly string[];
  send(body: Buffer, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  file(part: Part): Promise<Answer>;
  close(): Promise<void>;
}

export const anyOf = (...kinds: string[]): FileRule => ({ kinds, maxBytes: 20 * 2 ** 20 });

/** A service with one route that takes files and keeps them, unless the request says otherwise. */
export async function station(
  express: ExpressLike,
  rules: ReceiveOptions,
  options: Partial<UploadsOptions> = {},
): Promise<Station> {
  const directory = mkdtempSync(join(tmpdir(), 'portcullis-uploads-'));
  const events = createEvents();
  const seen: SecurityEvent[] = [];
  events.on('*', (event) => seen.push(event));
  const uploads = createUploads({ sink: diskSink({ directory }), events, ...options });
  const receive = uploads.receive(rules);
  const app = express();
  app.use(context({ trustProxy: false }));
  app.use((req: Request, _res: Response, next: NextFunction) => {
    const user = req.headers['x-user'];
    if (typeof user === 'string') req.security.principal = { kind: 'user', id: user };
    next();
  });
  app.post('/', receive, (async (req: Request, res: Response, next: NextFunction) => {
    try {
      const { files, fields } = receive.of(req);
      const all = Object.values(files).flat();
      if (req.headers['x-keep'] !== 'no') await Promise.all(all.map((file) => file.keep()));
      const body: unknown = req.body;
      res.json({ files: all.map(({ stream: _stream, keep: _keep, ...facts }) => facts), fields, body });
    } catch (error) {
      next(error); // Express 4 does not wait for promises.
    }
  }) as never);
  app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
    const {
      code,
      status = 500,
      problem,
      message,
    } = error as { code?: string; status?: number; problem?: unknown; message?: string };
    res.status(status).json({ code, problem, message });
  });
  const server: Server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const send: Station['send'] = (body, headers = {}) =>
    new Promise((resolve, reject) => {
      const req = request(
        {
          port,
          method: 'POST',
          agent: false,
          headers: {
            'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
            'content-length': String(body.length),
            ...headers,
          },
        },
        (res) => {
          let text = '';
          res.on('data', (chunk) => (text += String(chunk)));
          res.on('end', () => resolve({ status: res.statusCode!, body: JSON.parse(text) as Answer['body'] }));
        },
      );
      // The answer may come before everything is sent.
      req.on(
        'error',
        (error: NodeJS.ErrnoException) =>
          void (error.code === 'EPIPE' || error.code === 'ECONNRESET' || reject(error)),
      );
      req.end(body);
    });
  return {
    url: { port },
    directory,
    uploads,
    events: seen,
    left: () => filesBelow(directory),
    send,
    file: (part) => send(multipart([part])),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export function filesBelow(directory: string): readonly string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
}
