// pnpm vectors [--to <folder>] [--check] [--list <file>]: the external test data of tooling/vectors/vectors.json.
// Downloads what is public into a folder (default: .vectors); a file is kept only if it has the listed sha256.
// --check compares the folder that tests read (or that of --to) with the list, without network. A file that differs is
// a failure; one that is missing is named, and with REQUIRE_VECTORS=1 a failure too.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';

const MAX_BYTES = 16 * 1024 * 1024;
const TIMEOUT_MS = 60_000;

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const options = readOptions();
const { files } = JSON.parse(
  readFileSync(options.list ?? join(root, 'tooling', 'vectors', 'vectors.json'), 'utf8'),
);
process.exitCode = options.check ? check() : await download();

function check() {
  const folder = resolve(
    options.to ?? (process.env.PORTCULLIS_VECTORS || join(root, '..', 'shared', 'vectors')),
  );
  const required = process.env.REQUIRE_VECTORS === '1';
  const wrong = [];
  const missing = [];
  for (const file of files) {
    const path = join(folder, file.file);
    if (!existsSync(path)) missing.push(file);
    else if (sha256(readFileSync(path)) !== file.sha256) wrong.push(file);
  }
  for (const { file } of wrong) console.error(`DIFFERS from the list: ${file}`);
  for (const file of missing) console.error(`MISSING: ${file.file}${file.made ? ` (${file.made})` : ''}`);
  const same = files.length - wrong.length - missing.length;
  console.log(
    `${folder}: ${same} of ${files.length} files are as listed, ${wrong.length} differ, ${missing.length} missing.`,
  );
  // A folder with nothing in it is a wrong name, not a success.
  if (same === 0) console.error('There is nothing to check: set PORTCULLIS_VECTORS, or run `pnpm vectors`.');
  return wrong.length > 0 || same === 0 || (required && missing.length > 0) ? 1 : 0;
}

async function download() {
  const folder = resolve(options.to ?? join(root, '.vectors'));
  const count = { loaded: 0, kept: 0, failed: 0 };
  for (const file of files.filter(({ made }) => !made)) {
    const path = join(folder, file.file);
    if (existsSync(path) && sha256(readFileSync(path)) === file.sha256) {
      count.kept++;
      continue;
    }
    try {
      const bytes = await load(file);
      mkdirSync(dirname(path), { recursive: true });
      // A download that is cut off leaves no half file under the name that tests read.
      writeFileSync(`${path}.part`, bytes);
      renameSync(`${path}.part`, path);
      count.loaded++;
      console.log(`${file.file} (${file.licence}) from ${address(file)}`);
    } catch (error) {
      count.failed++;
      console.error(`FAILED: ${file.file} from ${address(file)}: ${reason(error)}`);
    }
  }
  const own = files.filter(({ file, made }) => made && !existsSync(join(folder, file)));
  for (const { file, made } of own) console.log(`NOT PUBLIC as a file, its tests skip: ${file}. ${made}`);
  console.log(
    `${folder}: ${count.loaded} downloaded, ${count.kept} were there, ${count.failed} failed, ${own.length} not public.`,
  );
  if (count.failed > 0) return 1;
  console.log(`Run the tests with PORTCULLIS_VECTORS=${folder}`);
  return 0;
}

async function load(file) {
  const response = await fetch(address(file), { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  if (Number(response.headers.get('content-length') ?? 0) > MAX_BYTES) throw new Error('it is too large');
  const body = Buffer.from(await response.arrayBuffer());
  const bytes = file.unpack === 'gzip' ? gunzipSync(body, { maxOutputLength: MAX_BYTES }) : body;
  const actual = sha256(bytes);
  if (actual !== file.sha256)
    throw new Error(`its sha256 is ${actual}, the list says ${file.sha256}; not written`);
  return bytes;
}

/** The raw file of a public GitHub repository, at a commit or tag. */
function address({ repository, commit, tag, path }) {
  const { hostname, pathname } = new URL(repository);
  if (hostname !== 'github.com') throw new Error(`No rule for the raw files of ${hostname}.`);
  return `https://raw.githubusercontent.com${pathname}/${commit ?? tag}/${path}`;
}

function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

/** fetch says "fetch failed"; why is in its cause. */
function reason(error) {
  return error.cause?.message ?? error.message;
}

function readOptions() {
  const string = { type: 'string' };
  try {
    return parseArgs({ options: { to: string, list: string, check: { type: 'boolean' } } }).values;
  } catch (error) {
    console.error(`${error.message}\nUsage: pnpm vectors [--to <folder>] [--check] [--list <file>]`);
    return process.exit(2);
  }
}
