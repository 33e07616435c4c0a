import { createReadStream } from 'node:fs';
import { connect } from 'node:net';
import { option, OptionError, readOptions, type Duration } from '@portcullis/core';

export interface ScannedFile {
  /** The file as it lies in the spool; read it, do not keep the path. */
  readonly path: string;
  readonly size: number;
  readonly type: string;
  readonly sha256: string;
}

export type ScanVerdict = { readonly clean: true } | { readonly clean: false; readonly found: string };

/** A virus scanner. Every end but `{ clean: true }` refuses the file; a rejection is answered with 503. */
export type Scanner = (file: ScannedFile, signal: AbortSignal) => Promise<ScanVerdict>;

export interface ClamdOptions {
  /** A socket file, or host and port. */
  readonly socket?: string;
  readonly host?: string;
  /** @default 3310 */
  readonly port?: number;
  /** For one file, 100 ms to 10 min. @default '60s' */
  readonly timeout?: Duration;
}

/**
 * Asks ClamAV's daemon by `INSTREAM`. Set its `StreamMaxLength` to at least the largest file that is accepted: beyond it
 * the daemon answers with an error, and the file is refused.
 * @throws OptionError
 */
export function clamdScanner(options: ClamdOptions): Scanner {
  const { socket, host, port, timeout } = readOptions('clamdScanner', options, {
    socket: option.optional(option.string({ max: 1024 })),
    host: option.optional(option.string({ max: 255 })),
    port: option.integer({ min: 1, max: 65_535, default: 3310 }),
    timeout: option.duration({ minMs: 100, maxMs: 600_000, default: '60s' }),
  });
  if ((socket === undefined) === (host === undefined)) {
    throw new OptionError(
      'E_OPTION_CONFLICT',
      'clamdScanner',
      'host',
      'one of "socket" and "host" is needed',
    );
  }
  return ({ path }, signal) =>
    new Promise((resolve, reject) => {
      const daemon = socket === undefined ? connect({ host: host!, port }) : connect({ path: socket });
      const file = createReadStream(path, { highWaterMark: 64 * 1024 });
      let answer = '';
      const end = (settle: () => void): void => {
        file.destroy();
        daemon.destroy();
        settle();
      };
      const fail = (reason: string): void => end(() => reject(new Error(`clamd: ${reason}`)));
      daemon.setTimeout(timeout, () => fail('no answer in time'));
      daemon.on('error', ({ message }) => fail(message));
      daemon.on('data', (chunk) => {
        answer += chunk.toString('latin1');
        if (answer.length > 4096) fail('an answer without end');
        else if (answer.includes('\0'))
          end(() => readAnswer(answer.slice(0, answer.indexOf('\0')), resolve, reject));
      });
      daemon.on('close', () => fail('the connection ended'));
      signal.addEventListener('abort', () => fail('aborted'), { once: true });
      file.on('error', ({ message }) => fail(message));
      // Chunks with their length before them; an empty one ends the file.
      daemon.write('zINSTREAM\0');
      file.on('data', (chunk) => {
        const length = Buffer.alloc(4);
        length.writeUInt32BE(chunk.length);
        daemon.write(length);
        if (!daemon.write(chunk)) file.pause();
      });
      daemon.on('drain', () => file.resume());
      file.on('end', () => daemon.write(Buffer.alloc(4)));
    });
}

function readAnswer(
  text: string,
  resolve: (verdict: ScanVerdict) => void,
  reject: (error: Error) => void,
): void {
  const found = /^stream: (.{1,200}) FOUND$/.exec(text)?.[1];
  if (text === 'stream: OK') resolve({ clean: true });
  else if (found !== undefined) resolve({ clean: false, found });
  else reject(new Error(`clamd: ${text.slice(0, 200)}`));
}
