import { fork, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { request, type ClientRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { StackName } from './stacks.js';

export interface Part {
  readonly name: string;
  readonly type: string;
}

export interface Answer {
  readonly status: number;
  readonly body: {
    readonly kind?: string;
    readonly type?: string;
    readonly size?: number;
    readonly sha256?: string;
  };
}

export interface Growth {
  readonly before: number;
  readonly growth: number;
}

const BOUNDARY = 'portcullis-proof-boundary';
const CHUNK = 64 * 1024;

/** A stack in a process of its own, with a folder of its own. */
export class Station {
  private constructor(
    readonly directory: string,
    private readonly child: ChildProcess,
    private readonly port: number,
  ) {}

  static async start(name: StackName, nodeOptions: readonly string[] = []): Promise<Station> {
    const directory = mkdtempSync(join(tmpdir(), 'portcullis-uploads-proof-'));
    const child = fork(fileURLToPath(new URL('./serve.ts', import.meta.url)), [name, directory], {
      execArgv: [...process.execArgv, '--expose-gc', ...nodeOptions],
      env: { ...process.env, NODE_ENV: 'production' },
    });
    const [port] = (await once(child, 'message')) as [number];
    return new Station(directory, child, port);
  }

  /** What the process grows by while `work` runs: the highest resident memory, over the one at its beginning. */
  async growthDuring(work: () => Promise<void>): Promise<Growth> {
    this.child.send('start');
    await once(this.child, 'message');
    await work();
    this.child.send('stop');
    const [growth] = (await once(this.child, 'message')) as [Growth];
    return growth;
  }

  async send({ name, type }: Part, content: Buffer): Promise<Answer> {
    const [head, end] = frame(name, type);
    const body = Buffer.concat([head, content, end]);
    const req = this.#request(body.length);
    const answer = answerOf(req);
    req.end(body);
    return answer;
  }

  /** A film of so many bytes, made as it is sent: neither process ever holds it. */
  async sendFilm(bytes: number): Promise<{ readonly answer: Answer; readonly sha256: string }> {
    const [head, end] = frame('film.mp4', 'video/mp4');
    const req = this.#request(head.length + bytes + end.length);
    const answer = answerOf(req);
    const hash = createHash('sha256');
    req.write(head);
    for (const chunk of film(bytes)) {
      hash.update(chunk);
      if (!req.write(chunk)) await once(req, 'drain');
    }
    req.end(end);
    return { answer: await answer, sha256: hash.digest('hex') };
  }

  /** Says that it sends a film, sends so much of it, waits until a file is there, and hangs up. Was one there? */
  async abortFilm(bytes: number, sent: number): Promise<boolean> {
    const [head, end] = frame('film.mp4', 'video/mp4');
    const req = this.#request(head.length + bytes + end.length);
    answerOf(req).catch(() => undefined);
    req.write(head);
    let left = sent;
    for (const chunk of film(bytes)) {
      if (left <= 0) break;
      const part = chunk.subarray(0, left);
      left -= part.length;
      if (!req.write(part)) await once(req, 'drain');
    }
    const wasThere = await until(() => this.files().length > 0, 2000);
    req.destroy();
    return wasThere;
  }

  /** Files below the folder, the spool's included. */
  files(): readonly string[] {
    return readdirSync(this.directory, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  }

  /** Waits a moment for the folder to be empty; returns what is left. */
  async left(ms: number): Promise<readonly string[]> {
    await until(() => this.files().length === 0, ms);
    return this.files();
  }

  clear(): void {
    for (const file of this.files()) rmSync(file, { force: true });
  }

  stop(): void {
    this.child.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #request(length: number): ClientRequest {
    return request({
      port: this.port,
      host: '127.0.0.1',
      method: 'POST',
      agent: false,
      headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}`, 'content-length': length },
    });
  }
}

function frame(name: string, type: string): readonly [Buffer, Buffer] {
  const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\nContent-Type: ${type}\r\n\r\n`;
  return [Buffer.from(head), Buffer.from(`\r\n--${BOUNDARY}--\r\n`)];
}

/** `ftyp`, then one `mdat` box of noise that reaches to the end (ISO 14496-12, size 0). */
function* film(bytes: number): Generator<Buffer> {
  const head = Buffer.from('\0\0\0\x18ftypisom\0\0\x02\0isomiso2\0\0\0\0mdat', 'latin1');
  yield head;
  const noise = randomBytes(CHUNK);
  let n = 0;
  for (let left = bytes - head.length; left > 0; left -= CHUNK) {
    // No two chunks are equal.
    const chunk = Buffer.from(noise.subarray(0, left));
    if (chunk.length >= 4) chunk.writeUInt32BE(n++, 0);
    yield chunk;
  }
}

function answerOf(req: ClientRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    req.on('error', reject).on('response', (res) => {
      let text = '';
      res.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      res.on('error', reject).on('end', () => {
        resolve({
          status: res.statusCode!,
          body: text.startsWith('{') ? (JSON.parse(text) as Answer['body']) : {},
        });
      });
    });
  });
}

async function until(holds: () => boolean, ms: number): Promise<boolean> {
  const end = performance.now() + ms;
  while (!holds()) {
    if (performance.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return true;
}
