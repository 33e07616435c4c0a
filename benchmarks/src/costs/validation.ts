import { randomBytes, randomUUID } from 'node:crypto';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createValidator, strictJson, strictQuery, validate } from '@portcullis/validation';
import { createUploads, diskSink } from '@portcullis/validation/uploads';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import bodyParser from 'body-parser';
import busboy from 'busboy';
import type { RequestHandler } from 'express';
import { body, validationResult } from 'express-validator';
import { formidable } from 'formidable';
import multer from 'multer';
import qs from 'qs';
import secureJson from 'secure-json-parse';
import * as z from 'zod';
import { costCase, exchange, mustPass, type CostGroup } from './harness.js';

type Pair = ReturnType<typeof exchange>;
type Handler = (req: never, res: never, next: (error?: unknown) => void) => unknown;

/** Requests are taken in turns from a hundred: making one costs more than what is measured. */
function hundred(make: () => Pair): () => Pair {
  const pairs = Array.from({ length: 100 }, make);
  let i = 0;
  return () => pairs[i++ % pairs.length]!;
}

/** A post whose body has arrived already. */
function posted(type: string, bytes: Buffer): Pair {
  const headers = { 'content-type': type, 'content-length': String(bytes.length) };
  const pair = exchange({ method: 'POST', url: '/books', headers });
  for (let at = 0; at < bytes.length; at += 65_536) pair.req.push(bytes.subarray(at, at + 65_536));
  pair.req.push(null);
  pair.req.complete = true;
  return pair;
}

function through(handler: Handler, { req, res }: Pair): Promise<void> {
  return new Promise((resolve, reject) => {
    void handler(req as never, res as never, (error?: unknown) => {
      if (error === undefined) resolve();
      else reject(error as Error);
    });
  });
}

function must(holds: unknown): void {
  if (holds !== true) throw new Error('What has to be accepted was refused.');
}

const book = {
  title: 'A Wizard of Earthsea',
  author: 'Ursula K. Le Guin',
  year: 1968,
  price: 9.99,
  tags: ['fantasy', 'classic'],
  contact: 'reader@library.example',
};
const schema = {
  type: 'object',
  properties: {
    title: { type: 'string', minLength: 1, maxLength: 200 },
    author: { type: 'string', minLength: 1, maxLength: 100 },
    year: { type: 'integer', minimum: 1450, maximum: 2100 },
    price: { type: 'number', exclusiveMinimum: 0 },
    tags: { type: 'array', items: { type: 'string', maxLength: 20 }, maxItems: 5 },
    contact: { type: 'string', format: 'email' },
  },
  required: ['title', 'author', 'year', 'price', 'tags', 'contact'],
  additionalProperties: false,
} as const;
const ajv = new Ajv({ strict: true });
(addFormats as unknown as (ajv: Ajv, formats: readonly string[]) => void)(ajv, ['email']);
const bare = ajv.compile(schema);
const shape = z.strictObject({
  title: z.string().min(1).max(200),
  author: z.string().min(1).max(100),
  year: z.int().min(1450).max(2100),
  price: z.number().gt(0),
  tags: z.array(z.string().max(20)).max(5),
  contact: z.email(),
});
const chains = [
  body('title').isString().isLength({ min: 1, max: 200 }),
  body('author').isString().isLength({ min: 1, max: 100 }),
  body('year').isInt({ min: 1450, max: 2100 }),
  body('price').isFloat({ gt: 0 }),
  body('tags').isArray({ max: 5 }),
  body('tags.*').isString().isLength({ max: 20 }),
  body('contact').isEmail(),
];
const checked = validate({ body: schema });
const validator = createValidator(schema);
const read = (): Pair => {
  const headers = { 'content-type': 'application/json', 'content-length': '200' };
  const pair = exchange({ method: 'POST', url: '/books', headers });
  Object.assign(pair.req, { body: structuredClone(book), query: {}, params: {}, cookies: {} });
  return pair;
};

const json = Buffer.from(JSON.stringify({ books: Array.from({ length: 8 }, () => book) }));
const jsonReader = bodyParser.json();
const textReader = bodyParser.text({ type: 'application/json' });
const strict = strictJson();
const query = 'q=le+guin&sort=year&page=2&limit=20&lang=en&tag=fantasy&tag=classic&since=1960-01-01';
const queryReader = strictQuery({ lists: ['tag'] });

const folder = mkdtempSync(join(tmpdir(), 'portcullis-costs-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const uploads = createUploads({ sink: diskSink({ directory: folder }) });
const receive = uploads.receive({ files: { file: { kinds: ['wav'] } } });
const toDisk = multer({ dest: folder }).single('file');
const boundary = randomUUID();
const form = `multipart/form-data; boundary=${boundary}`;
const sound = ((): Buffer => {
  const data = randomBytes(2 ** 20);
  const head = Buffer.from(
    'RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x44\xac\0\0\x88\x58\x01\0\x02\0\x10\0data\0\0\0\0',
    'latin1',
  );
  head.writeUInt32LE(data.length + 36, 4);
  head.writeUInt32LE(data.length, 40);
  return Buffer.concat([
    Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n`,
    ),
    head,
    data,
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ]);
})();
const upload = (): Pair => posted(form, sound);

export const groups: readonly CostGroup[] = [
  {
    title: 'Validation: is this book one?',
    note: 'Six fields, all in order. Bare ajv, zod and createValidator() are called with the body; validate() is the middleware of a route, with what a request costs around it. It and createValidator() look at every field of objects that may come from anywhere and hand on a copy that has the listed ones only; zod copies as well, ajv only looks.',
    batch: 4000,
    batches: 4,
    peers: ['ajv', 'zod'],
    cases: [
      costCase<Pair>({
        name: 'ajv, bare',
        prepare: hundred(read),
        call: ({ req }) => must(bare((req as unknown as { body: unknown }).body)),
      }),
      costCase<Pair>({
        name: 'createValidator().check()',
        prepare: hundred(read),
        call: ({ req }) => must(validator.check((req as unknown as { body: unknown }).body).valid),
      }),
      costCase<Pair>({
        name: 'validate()',
        prepare: hundred(read),
        call: (pair) => through(checked as Handler, pair),
      }),
      costCase<Pair>({
        name: 'zod',
        prepare: hundred(read),
        call: ({ req }) => must(shape.safeParse((req as unknown as { body: unknown }).body).success),
      }),
    ],
  },
  {
    title: 'Validation: the same, by a middleware',
    note: 'express-validator runs a chain for each field, one after the other, and says at the end whether all were in order.',
    batch: 50,
    batches: 20,
    peers: ['express-validator'],
    cases: [
      costCase<Pair>({
        name: 'express-validator',
        prepare: hundred(read),
        call: async (pair) => {
          for (const chain of chains) await through(chain as unknown as Handler, pair);
          must(validationResult(pair.req).isEmpty());
        },
      }),
      costCase<Pair>({
        name: 'validate()',
        prepare: hundred(read),
        call: (pair) => through(checked as Handler, pair),
      }),
    ],
    claims: [{ ours: 'validate()', peer: 'express-validator', atMost: 1 / 10 }],
  },
  {
    title: `JSON: a body of ${json.length} bytes is read`,
    note: 'From a request that has arrived to req.body. secure-json-parse looks for __proto__ and constructor; strictJson() besides for keys that occur twice, lone surrogates, numbers that lose digits, depth and counts.',
    batch: 100,
    batches: 20,
    peers: ['body-parser', 'secure-json-parse'],
    cases: [
      costCase<Pair>({
        name: 'body-parser',
        prepare: () => posted('application/json', json),
        call: (pair) => through(jsonReader as Handler, pair),
      }),
      costCase<Pair>({
        name: 'body-parser and secure-json-parse',
        prepare: () => posted('application/json', json),
        call: async (pair) => {
          await through(textReader as Handler, pair);
          const { req } = pair as unknown as { req: { body: unknown } };
          req.body = secureJson.parse(req.body as string);
        },
      }),
      costCase<Pair>({
        name: 'strictJson()',
        prepare: () => posted('application/json', json),
        call: (pair) => through(strict as Handler, pair),
      }),
    ],
  },
  {
    title: 'A query string of eight fields is read',
    note: 'qs as Express 4 calls it; strictQuery() as a middleware, with the property that it puts in the place of req.query.',
    batch: 1000,
    batches: 10,
    peers: ['qs'],
    cases: [
      costCase({ name: 'qs', call: () => qs.parse(query, { allowPrototypes: true }) }),
      costCase<Pair>({
        name: 'strictQuery()',
        prepare: hundred(() => exchange({ url: `/books?${query}` })),
        call: ({ req, res }) => (queryReader as RequestHandler)(req as never, res as never, mustPass),
      }),
    ],
    claims: [{ ours: 'strictQuery()', peer: 'qs', atMost: 1 }],
  },
  {
    title: 'Uploads: a sound of 1 MiB is stored and removed',
    note: 'All write to the same disk. Only uploads.receive() looks into what came (kind, extension, declared type, structure) and makes its SHA-256.',
    batch: 4,
    batches: 5,
    peers: ['busboy', 'multer', 'formidable'],
    cases: [
      costCase<Pair>({
        name: 'busboy',
        prepare: upload,
        call: async ({ req }) => {
          const path = join(folder, randomUUID());
          let written: Promise<void> | undefined;
          const parser = busboy({ headers: req.headers });
          parser.on('file', (_name, file) => {
            written = pipeline(file, createWriteStream(path));
          });
          await pipeline(req, parser);
          await written;
          await rm(path);
        },
      }),
      costCase<Pair>({
        name: 'multer',
        prepare: upload,
        call: async (pair) => {
          await through(toDisk as unknown as Handler, pair);
          await rm((pair.req as unknown as { file: { path: string } }).file.path);
        },
      }),
      costCase<Pair>({
        name: 'formidable',
        prepare: upload,
        call: async ({ req }) => {
          const [, files] = await formidable({ uploadDir: folder }).parse(req);
          await rm(files['file']![0]!.filepath);
        },
      }),
      costCase<Pair>({
        name: 'uploads.receive()',
        prepare: upload,
        call: async (pair) => {
          await through(receive as Handler, pair);
          const key = await receive.of(pair.req as never).files.file[0]!.keep();
          await uploads.remove(key);
        },
      }),
    ],
  },
];
