import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import busboy from 'busboy';
import { context } from '@portcullis/core';
import { createUploads, diskSink, uploadKinds } from '@portcullis/validation/uploads';
import express, { type ErrorRequestHandler, type Express } from 'express';
import express4 from 'express4';
import multer from 'multer';

/** A service that takes one file at `POST /`, under the field `file`, and keeps it below a folder. */
type Stack = (directory: string) => Promise<Express>;

const GIB = 2 ** 30;

export type StackName =
  | 'Portcullis on Express 5'
  | 'Portcullis on Express 4'
  | 'multer, memory storage'
  | 'express.raw()'
  | 'read and dropped'
  | 'bare pipe'
  | 'busboy, to disk';

export const stacks: Readonly<Record<StackName, Stack>> = {
  'Portcullis on Express 5': (directory) => portcullis(express(), directory),
  'Portcullis on Express 4': (directory) => portcullis(express4() as unknown as Express, directory),
  // The README of multer, "MemoryStorage".
  'multer, memory storage': async () => {
    const app = express();
    const upload = multer({ storage: multer.memoryStorage() });
    app.post('/', upload.single('file'), (req, res) => {
      res.json({ type: req.file!.mimetype, size: req.file!.size });
    });
    return app;
  },
  // The README of Express, "express.raw()": the parts are looked for once the body is there.
  'express.raw()': async () => {
    const app = express();
    app.post('/', express.raw({ type: () => true, limit: 2 * GIB }), (req, res) => {
      res.json({ size: (req.body as Buffer).length });
    });
    return app;
  },
  // What Node.js itself needs to see a body.
  'read and dropped': async () => {
    const app = express();
    app.post('/', (req, res) => {
      let size = 0;
      req.on('data', (chunk: Buffer) => (size += chunk.length)).on('end', () => res.json({ size }));
    });
    return app;
  },
  // What Node.js itself needs to write a body to a file: nothing is parsed, hashed or looked at.
  'bare pipe': async (directory) => {
    const app = express();
    app.post('/', (req, res) => {
      const file = createWriteStream(join(directory, randomUUID()));
      req.pipe(file).on('finish', () => res.json({ size: file.bytesWritten }));
    });
    return app;
  },
  // The README of busboy: "save all incoming files to disk".
  'busboy, to disk': async (directory) => {
    const app = express();
    app.post('/', (req, res) => {
      const parser = busboy({ headers: req.headers });
      let type = '';
      parser.on('file', (_name, file, info) => {
        type = info.mimeType;
        file.pipe(createWriteStream(join(directory, randomUUID())));
      });
      parser.on('close', () => res.json({ type }));
      req.pipe(parser);
    });
    return app;
  },
};

async function portcullis(app: Express, directory: string): Promise<Express> {
  const uploads = createUploads({ sink: diskSink({ directory }) });
  const receive = uploads.receive({
    files: {
      file: {
        kinds: uploadKinds.map(({ name }) => name),
        maxBytes: 2 * GIB,
        extensionOptional: true,
        dangerouslyUnchecked: true,
      },
    },
  });
  await uploads.ready();
  app.use(context({ trustProxy: false }));
  app.post('/', receive, async (req, res) => {
    const [file] = receive.of(req).files.file;
    const { kind, type, size, sha256 } = file!;
    await file!.keep();
    res.json({ kind, type, size, sha256 });
  });
  const refuse: ErrorRequestHandler = (error: { status?: number; code?: string }, _req, res, _next) => {
    res.status(error.status ?? 500).json({ code: error.code });
  };
  app.use(refuse);
  return app;
}
