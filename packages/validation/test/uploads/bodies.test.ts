import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { createMemoryStore, type KeyValueStore } from '@portcullis/core';
import { onBothExpress, type ExpressLike } from '@portcullis/test-support';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { clamdScanner, createUploads, diskSink, type UploadsOptions } from '../../src/uploads.js';
import { png, samples } from './files.js';
import { anyOf, filesBelow, multipart, station, type Part, type Station } from './harness.js';

const BOUNDARY = 'portcullis-test-boundary';
const FILE: Part = { name: 'a.png', type: 'image/png', data: png() };

/** What is open in this process: files, sockets and pipes. */
const open = (): number => readdirSync('/proc/self/fd').length;
const onLinux = process.platform === 'linux';

/** Waits for what comes by itself; what never comes is a failure that says so, long before Jest gives up. */
async function until(holds: () => boolean, what = 'the folder to be empty'): Promise<void> {
  for (let waited = 0; !holds(); waited += 5) {
    if (waited > 4000) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Writes bytes of its own making; the socket is the caller's. */
async function raw(one: Station, head: string, body: Buffer | string = ''): Promise<Socket> {
  const socket = connect(one.url.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.on('error', () => undefined);
  socket.write(`POST / HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n`);
  socket.write(body);
  return socket;
}

onBothExpress((express) => {
  describe('bodies that are not what they should be leave nothing and end nobody', () => {
    let one: Station;
    beforeAll(async () => {
      one = await station(express, {
        files: { file: { ...anyOf('png'), maxCount: 2 } },
        fields: { title: { maxBytes: 10 } },
      });
    });
    afterAll(() => one.close());
    afterEach(() => until(() => one.left().length === 0));

    const good = multipart([FILE]);
    const typed = (value: string) => ({ 'content-type': value });
    const disposition = (text: string): Buffer => multipart([{ ...FILE, disposition: text }]);
    const attacks: readonly (readonly [
      attack: string,
      body: Buffer,
      status: number,
      headers?: Readonly<Record<string, string>>,
    ])[] = [
      [
        'multer CVE-2025-48997: an empty field name',
        disposition('form-data; name=""; filename="a.png"'),
        400,
      ],
      ['a part without a name', disposition('form-data; filename="a.png"'), 400],
      [
        'a part without Content-Disposition',
        Buffer.from(`--${BOUNDARY}\r\nX: y\r\n\r\nx\r\n--${BOUNDARY}--\r\n`),
        400,
      ],
      [
        'multer CVE-2025-47944 CVE-2025-7338: a part without its head',
        Buffer.from(`--${BOUNDARY}\r\n\r\n`),
        400,
      ],
      [
        'multer CVE-2026-3304 CVE-2026-3520: a body that stops in the middle of a part',
        good.subarray(0, -60),
        400,
      ],
      ['a body that stops before its last boundary', good.subarray(0, -20), 400],
      ['a boundary that never comes', good, 400, typed('multipart/form-data; boundary=other')],
      ['no boundary', good, 415, typed('multipart/form-data')],
      ['an empty boundary', good, 400, typed('multipart/form-data; boundary=')],
      [
        'two boundaries, which two parsers read differently',
        good,
        415,
        typed(`multipart/form-data; boundary=x; boundary=${BOUNDARY}`),
      ],
      [
        'a boundary of 5,000 characters',
        good,
        415,
        typed(`multipart/form-data; boundary=${'b'.repeat(5000)}`),
      ],
      ['another type', good, 415, typed('application/json')],
      ['another multipart type', good, 415, typed(`multipart/mixed; boundary=${BOUNDARY}`)],
      ['two types', good, 415, typed(`multipart/form-data; boundary=${BOUNDARY}, text/plain`)],
      ['nothing at all', Buffer.alloc(0), 400],
      ['parts, and none of them', Buffer.from(`--${BOUNDARY}--\r\n`), 400],
      ['a field that nobody asked for', multipart([FILE, { field: 'role', data: 'admin' }]), 400],
      [
        'multiparty CVE-2026-8161: a field called __proto__',
        multipart([FILE, { field: '__proto__', data: 'x' }]),
        400,
      ],
      [
        'a field called constructor[prototype][a]',
        multipart([FILE, { field: 'constructor[prototype][a]', data: 'x' }]),
        400,
      ],
      [
        'multer CVE-2026-5079: a name of 1,000 brackets',
        multipart([FILE, { field: `a${'[a]'.repeat(1000)}`, data: 'x' }]),
        400,
      ],
      [
        'multer CVE-2026-77078: a numeric name beyond the length of any list',
        multipart([FILE, { field: 'a[4294967296]', data: 'x' }]),
        400,
      ],
      ['a field of files as a text', multipart([{ field: 'file', data: 'x' }]), 415],
      ['a text field as a file', multipart([FILE, { field: 'title', name: 'a.png', data: png() }]), 400],
      [
        '1,000 parts',
        multipart([FILE, ...Array.from({ length: 1000 }, () => ({ field: 'title', data: 'x' }))]),
        413,
      ],
      [
        'a part with a head of 100 kB',
        disposition(`form-data; name="file"; filename="${'a'.repeat(100_000)}"`),
        415,
      ],
      [
        'a part with 2,000 header lines',
        disposition(`form-data; name="file"; filename="a.png"${'\r\nX: y'.repeat(2000)}`),
        415,
      ],
      [
        'multiparty CVE-2026-8159: 8 kB of !filename="1',
        disposition(`form-data; name="file"${'!filename="1'.repeat(700)}`),
        415,
      ],
      [
        'multiparty CVE-2026-8162: a filename* that cannot be decoded',
        disposition(`form-data; name="file"; filename*=UTF-8''%zz%`),
        415,
      ],
      [
        'a filename* in a charset of nobody',
        disposition(`form-data; name="file"; filename*=x-none''%ff%fe`),
        415,
      ],
      [
        'a file in base64 by Content-Transfer-Encoding',
        disposition('form-data; name="file"; filename="a.png"\r\nContent-Transfer-Encoding: base64'),
        200,
      ],
      [
        'line ends in a name by filename*',
        disposition(`form-data; name="file"; filename*=UTF-8''a%0d%0aSet-Cookie%3a%20b.png`),
        400,
      ],
      ['a compressed body', good, 415, { 'content-encoding': 'gzip' }],
    ];
    // A row without headers must not become one with a callback of Jest.
    test.each(attacks.map(([name, ...rest]) => [name, rest] as const))(
      '%s',
      async (_attack, [body, status, headers]) => {
        const answer = await one.send(body, headers);
        // What is accepted is as it was sent, and goes.
        if (answer.status === 200) one.left().forEach((path) => rmSync(path));
        expect([answer.status, answer.body.code?.slice(0, 2)]).toEqual([
          status,
          status === 200 ? undefined : 'E_',
        ]);
      },
    );

    const names: readonly (readonly [attack: string, disposition: string, shown: string])[] = [
      ['AdonisJS CVE-2026-21440: ../', 'filename="../../../tmp/evil.png"', 'evil.png'],
      ['OpenSign PR#2181: ..\\', 'filename="..\\\\..\\\\evil.png"', 'evil.png'],
      ['an absolute path', 'filename="/etc/cron.d/evil.png"', 'evil.png'],
      ['a drive', 'filename="C:\\\\inetpub\\\\evil.png"', 'evil.png'],
      [
        'filename* that says another (RFC 7578 4.2: not for forms)',
        `filename="a.png"; filename*=UTF-8''..%2f..%2fevil.png`,
        'a.png',
      ],
      ['NUL by filename*', `filename*=UTF-8''evil.php%00.png`, 'evil.php.png'],
      ['a device of Windows', 'filename="CON.png"', '_CON.png'],
      ['an override of direction', `filename*=UTF-8''photo%e2%80%aegnp.exe.png`, 'photognp.exe.png'],
      ['markup', 'filename="<img src=x onerror=alert(1)>.png"', '_img src=x onerror=alert(1)_.png'],
    ];
    test.each(names)(
      'a name with %s is stored under a random one, inside of its folder',
      async (_attack, text, shown) => {
        const { status, body } = await one.send(disposition(`form-data; name="file"; ${text}`));
        expect([status, body.files?.[0]]).toEqual([200, expect.objectContaining({ name: shown })]);
        const [path, ...others] = one.left();
        expect(others).toEqual([]);
        expect(path).toMatch(/[/\\][0-9a-f]{2}[/\\][0-9a-f]{32}$/);
        rmSync(path!);
      },
    );

    test('texts beside files are the body for what stands behind: listed fields only', async () => {
      const { status, body } = await one.send(multipart([{ field: 'title', data: 'Dune' }, FILE]));
      expect([status, body.body]).toEqual([200, { title: 'Dune' }]);
      one.left().forEach((path) => rmSync(path));
    });

    test('500 truncated bodies: the process lives, no file stays, nothing stays open', async () => {
      await one.file(FILE).then(() => one.left().forEach((path) => rmSync(path)));
      const before = onLinux ? open() : 0;
      for (let i = 0; i < 500; i += 50) {
        const answers = await Promise.all(
          Array.from({ length: 50 }, (_, j) => one.send(good.subarray(0, (i + j) % (good.length - 3)))),
        );
        expect(answers.filter(({ status }) => status !== 400)).toEqual([]);
      }
      expect((await one.file(FILE)).status).toBe(200);
      one.left().forEach((path) => rmSync(path));
      if (onLinux) expect(open() - before).toBeLessThan(10);
    }, 60_000);
  });

  describe('aborted bodies leave nothing (multer CVE-2025-47935 CVE-2026-2359 CVE-2026-5038)', () => {
    let one: Station;
    beforeAll(async () => {
      one = await station(
        express,
        { files: { file: { ...anyOf('mp4'), maxCount: 3 } } },
        { idleTimeout: '300ms' },
      );
    });
    afterAll(() => one.close());

    const film = Buffer.concat([samples['mp4']!, Buffer.alloc(300_000)]);
    const part: Part = { name: 'a.mp4', type: 'video/mp4', data: film };
    const whole = multipart([part, part]);
    const head = (length: number | 'chunked'): string =>
      `Content-Type: multipart/form-data; boundary=${BOUNDARY}\r\n${length === 'chunked' ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`}`;
    const refused = () => one.events.filter(({ type }) => type === 'upload.refused').length;

    test.each<[string, (socket: Socket) => void, number]>([
      ['the connection is closed in the head of a part', (socket) => socket.destroy(), 60],
      ['the connection is closed in the first file', (socket) => socket.destroy(), 100_000],
      ['the connection is closed in the second file', (socket) => socket.destroy(), 400_000],
      ['the connection is closed before the last boundary', (socket) => socket.destroy(), whole.length - 10],
      ['the connection is reset', (socket) => socket.resetAndDestroy(), 200_000],
      ['the client says that it is done (half closed)', (socket) => socket.end(), 200_000],
      ['the client falls silent', () => undefined, 200_000],
    ])('%s', async (_how, end, sent) => {
      const before = refused();
      const socket = await raw(one, head(whole.length), whole.subarray(0, sent));
      if (sent >= 100_000) await until(() => one.left().length > 0);
      end(socket);
      await until(() => refused() > before && one.left().length === 0);
      socket.destroy();
    });

    test('a chunk that is none ends a chunked body', async () => {
      const before = refused();
      const piece = whole.subarray(0, 100_000);
      const socket = await raw(one, head('chunked'), `${piece.length.toString(16)}\r\n`);
      socket.write(piece);
      await until(() => one.left().length > 0);
      socket.write('\r\nnot a length\r\n');
      await until(() => refused() > before && one.left().length === 0);
      socket.destroy();
    });

    test('a body that trickles in is cut by the time for the whole of it, bytes or not', async () => {
      const slow = await station(express, { files: { file: anyOf('mp4') } }, { timeout: '1s' });
      try {
        const socket = await raw(slow, head(whole.length), whole.subarray(0, 1000));
        const drip = setInterval(() => socket.write('x'), 20);
        await until(() => slow.events.length > 0 && slow.left().length === 0);
        clearInterval(drip);
        socket.destroy();
        expect(slow.events).toMatchObject([
          { type: 'upload.refused', code: 'E_UPLOAD_TIMEOUT', reason: 'total' },
        ]);
      } finally {
        await slow.close();
      }
    });

    test('a file that the route does not keep is gone when the answer is', async () => {
      const { status } = await one.send(multipart([part]), { 'x-keep': 'no' });
      expect(status).toBe(200);
      await until(() => one.left().length === 0);
    });

    test('what a killed process has left is gone when the next one starts; what a living one holds is not', async () => {
      const directory = mkdtempSync(join(tmpdir(), 'portcullis-killed-'));
      try {
        const spool = join(directory, '.incoming');
        const host = createHash('sha256').update(hostname()).digest('hex').slice(0, 12);
        const folder = (pid: number): string => join(spool, `${host}.${pid}.${'0'.repeat(16)}`);
        // No process has so high a number; the parent of this one lives.
        for (const pid of [2 ** 30, process.ppid]) {
          mkdirSync(folder(pid), { recursive: true });
          writeFileSync(join(folder(pid), 'a'), 'half a film');
        }
        await createUploads({ sink: diskSink({ directory }) }).ready();
        expect(readdirSync(spool).filter((name) => name.endsWith('0'.repeat(16)))).toEqual([
          `${host}.${process.ppid}.${'0'.repeat(16)}`,
        ]);
      } finally {
        rmSync(directory, { recursive: true });
      }
    });
  });

  describe('when something behind it is down, files are refused and none is left', () => {
    const through = async (
      options: Partial<UploadsOptions>,
      use: (one: Station) => Promise<void>,
    ): Promise<void> => {
      const one = await station(express as ExpressLike, { files: { file: anyOf('png') } }, options);
      try {
        await use(one);
      } finally {
        await one.close();
      }
    };

    test.each<[string, NonNullable<UploadsOptions['scan']>, number, string]>([
      ['finds something', async () => ({ clean: false, found: 'Eicar-Signature' }), 422, 'E_UPLOAD_INFECTED'],
      ['rejects', () => Promise.reject(new Error('no scanner')), 503, 'E_UPLOAD_UNAVAILABLE'],
      [
        'throws',
        () => {
          throw new Error('no scanner');
        },
        503,
        'E_UPLOAD_UNAVAILABLE',
      ],
      ['never answers', () => new Promise(() => undefined), 503, 'E_UPLOAD_UNAVAILABLE'],
      ['answers with nothing', async () => undefined as never, 422, 'E_UPLOAD_INFECTED'],
      ['answers "clean" instead of true', async () => ({ clean: 'true' }) as never, 422, 'E_UPLOAD_INFECTED'],
    ])('a scanner that %s', async (_what, scan, status, code) => {
      await through({ scan, scanTimeout: '200ms' }, async (one) => {
        const answer = await one.file(FILE);
        expect([answer.status, answer.body.code]).toEqual([status, code]);
        expect(JSON.stringify(answer.body)).not.toMatch(/Eicar|no scanner/);
        expect(one.left()).toEqual([]);
      });
    });

    test('a sink that fails is a 503', async () => {
      const spool = mkdtempSync(join(tmpdir(), 'portcullis-spool-'));
      const sink = { put: () => Promise.reject(new Error('bucket gone')), remove: async () => undefined };
      await through({ sink, spool }, async (one) => {
        const answer = await one.file(FILE);
        expect([answer.status, answer.body.code]).toEqual([503, 'E_UPLOAD_UNAVAILABLE']);
      });
      await until(() => filesBelow(spool).length === 0);
      rmSync(spool, { recursive: true });
    });

    test('a spool that cannot be made is a 503, and ready() says so at the start', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'portcullis-no-spool-'));
      writeFileSync(join(folder, 'file'), '');
      await through({ spool: join(folder, 'file', 'spool') }, async (one) => {
        await expect(one.uploads.ready()).rejects.toThrow(/ENOTDIR|EEXIST/);
        const answer = await one.file(FILE);
        expect([answer.status, answer.body.code]).toEqual([503, 'E_UPLOAD_UNAVAILABLE']);
      });
      rmSync(folder, { recursive: true });
    });

    test('a store of the quota that is down refuses before anything is written', async () => {
      const down = () => Promise.reject(Object.assign(new Error('down'), { status: 503 }));
      const store = Object.assign(Object.create(createMemoryStore()) as KeyValueStore, { get: down });
      await through({ quota: { store } }, async (one) => {
        expect((await one.file(FILE)).status).toBe(503);
        expect(one.left()).toEqual([]);
      });
    });

    test('uploads at the same moment do not pass the quota together, and what is not kept is given back', async () => {
      await through({ quota: { store: createMemoryStore(), maxFiles: 3 } }, async (one) => {
        const user = { 'x-user': 'ann' };
        const body = multipart([FILE]);
        await Promise.all(Array.from({ length: 5 }, () => one.send(body, { ...user, 'x-keep': 'no' })));
        await until(() => one.left().length === 0);
        const answers = await Promise.all(Array.from({ length: 10 }, () => one.send(body, user)));
        expect(answers.filter(({ status }) => status === 200)).toHaveLength(3);
        expect(one.left()).toHaveLength(3);
        expect(await one.uploads.usage('user:ann')).toMatchObject({ files: expect.any(Number) });
      });
    });
  });
});

describe("clamdScanner() speaks the protocol of ClamAV's daemon", () => {
  let daemon: Server;
  let port: number;
  let answer: (received: Buffer, socket: Socket) => void;
  const sockets = new Set<Socket>();
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-clamd-'));
  const path = join(folder, 'file');
  beforeAll(async () => {
    daemon = createServer((socket) => {
      sockets.add(socket);
      let received = Buffer.alloc(0);
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => answer((received = Buffer.concat([received, chunk])), socket));
    }).listen(0, '127.0.0.1');
    await once(daemon, 'listening');
    port = (daemon.address() as AddressInfo).port;
    writeFileSync(path, Buffer.alloc(200_000, 7));
  });
  afterAll(() => {
    for (const socket of sockets) socket.destroy();
    daemon.close();
    rmSync(folder, { recursive: true });
  });

  const scan = () =>
    clamdScanner({ host: '127.0.0.1', port, timeout: '300ms' })(
      { path, size: 200_000, type: 'image/png', sha256: '' },
      new AbortController().signal,
    );
  const whole = (received: Buffer): boolean => received.subarray(-4).equals(Buffer.alloc(4));

  test('the file arrives in chunks with their lengths, and ends with an empty one', async () => {
    let content = Buffer.alloc(0);
    answer = (received, socket) => {
      if (!whole(received)) return;
      const command = 'zINSTREAM\0';
      expect(received.subarray(0, command.length).toString()).toBe(command);
      for (let at = command.length; ;) {
        const length = received.readUInt32BE(at);
        at += 4;
        if (length === 0) break;
        content = Buffer.concat([content, received.subarray(at, at + length)]);
        at += length;
      }
      socket.write('stream: OK\0');
    };
    expect(await scan()).toEqual({ clean: true });
    expect(content.equals(Buffer.alloc(200_000, 7))).toBe(true);
  });

  test('a finding is told by its name', async () => {
    answer = (received, socket) => whole(received) && socket.write('stream: Win.Test.EICAR_HDB-1 FOUND\0');
    expect(await scan()).toEqual({ clean: false, found: 'Win.Test.EICAR_HDB-1' });
  });

  test.each<[string, (socket: Socket) => void, RegExp]>([
    ['an error', (socket) => socket.write('INSTREAM size limit exceeded. ERROR\0'), /size limit/],
    ['something that only begins like a clean file', (socket) => socket.write('stream: OK but\0'), /OK but/],
    ['nothing in time', () => undefined, /no answer in time/],
    ['an end', (socket) => socket.end(), /connection ended|ECONNRESET|EPIPE/],
    ['an answer without end', (socket) => socket.write('x'.repeat(5000)), /without end/],
  ])('%s is no clean file', async (_what, say, problem) => {
    answer = (received, socket) => {
      if (whole(received)) say(socket);
    };
    await expect(scan()).rejects.toThrow(problem);
  });

  test('a daemon that is not there is no clean file either', async () => {
    const nobody = clamdScanner({ host: '127.0.0.1', port: 1 });
    await expect(
      nobody({ path, size: 1, type: 'image/png', sha256: '' }, new AbortController().signal),
    ).rejects.toThrow(/ECONNREFUSED/);
  });

  test.each([[{}], [{ host: 'a', socket: '/a' }], [{ host: 'a', port: 0 }], [{ hots: 'a' }]])(
    '%j does not start',
    (options) =>
      expect(() => clamdScanner(options as never)).toThrow(expect.objectContaining({ name: 'OptionError' })),
  );
});
