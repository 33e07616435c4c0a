import assert from 'node:assert/strict';
import { describe, expect, test } from '@jest/globals';
import { OptionError } from '@portcullis/core';
import { onBothExpress } from '@portcullis/test-support';
import type { Express, NextFunction, Request, RequestHandler, Response } from 'express';
import fc from 'fast-check';
import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import request from 'supertest';
import { parseJson, strictJson, validate, type StrictJsonOptions } from '../src/index.js';

/** What a text is refused for, or undefined if it is read. */
function ruleOf(input: string | Uint8Array, options = {}): string | undefined {
  try {
    parseJson(input, options);
    return undefined;
  } catch (error) {
    const { code, status, problem } = error as {
      code: string;
      status: number;
      problem: { errors: { keyword: string }[] };
    };
    expect([code, status]).toEqual(['E_JSON', 400]);
    return problem.errors[0]!.keyword;
  }
}

describe('parseJson()', () => {
  test('reads what JSON.parse reads, to the same value', () => {
    fc.assert(
      fc.property(
        fc.json({ maxDepth: 5, noUnicodeString: false } as never),
        fc.constantFrom(undefined, 1, '\t'),
        (json, space) => {
          const text = JSON.stringify(JSON.parse(json), undefined, space);
          const rule = ruleOf(text);
          // Numbers that doubles hold badly and names that reach prototypes are ours to refuse.
          if (rule === undefined) assert.deepEqual(parseJson(text), JSON.parse(text));
          else expect(['number', 'prototypeKey', 'nul', 'surrogate']).toContain(rule);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('reads nothing that JSON.parse refuses, over 20,000 mutations of honest texts', () => {
    const honest = '{"a":[1,-2.5e3,"x\\u00e9\\n",true,null,{"b":{}}],"c":"\\"\\\\/"}';
    const edits = fc.array(
      fc.record({
        at: fc.nat(honest.length),
        cut: fc.nat(3),
        put: fc.constantFrom(...'{}[]",:0-.eE+\\u \n\0tfn'),
      }),
      { minLength: 1, maxLength: 4 },
    );
    let read = 0;
    fc.assert(
      fc.property(edits, (list) => {
        const text = list.reduce((t, { at, cut, put }) => t.slice(0, at) + put + t.slice(at + cut), honest);
        if (ruleOf(text) !== undefined) return;
        read++;
        assert.deepEqual(parseJson(text), JSON.parse(text));
      }),
      { numRuns: 20_000 },
    );
    expect(read).toBeGreaterThan(500);
  });

  const accepted: readonly (readonly [string, unknown])[] = [
    ['{}', {}],
    ['[]', []],
    [' \t\r\n[1 , 2]\n', [1, 2]],
    ['"\\u0041\\ud83d\\ude00"', 'A\u{1f600}'],
    ['[9007199254740991,-9007199254740991]', [9007199254740991, -9007199254740991]],
    ['[0,0.0,0e9,1e3,1E-2,1.5e+2]', [0, 0, 0, 1000, 0.01, 150]],
    ['[123456789012345,1234567890123456]', [123456789012345, 1234567890123456]],
    ['{"":1,"proto":2,"__proto":3,"Constructor":4}', { '': 1, proto: 2, __proto: 3, Constructor: 4 }],
    ['"\u007f\u2028"', '\u007f\u2028'],
    ['{"10":1,"9":2}', { '9': 2, '10': 1 }],
  ];
  test.each(accepted)('reads %s', (text, value) => expect(parseJson(text)).toStrictEqual(value));

  const refused: readonly (readonly [string, string | Uint8Array, string])[] = [
    ['a key twice', '{"a":1,"a":2}', 'duplicateKey'],
    ['a key twice, once written as an escape', '{"role":1,"r\\u006fle":2}', 'duplicateKey'],
    ['a key twice, deep', '[{"x":{"a":1,"b":2,"a":1}}]', 'duplicateKey'],
    ['the empty key twice', '{"":1,"":1}', 'duplicateKey'],
    ['__proto__', '{"__proto__":{"admin":true}}', 'prototypeKey'],
    ['__proto__ in escapes', '{"\\u005f\\u005fproto__":{}}', 'prototypeKey'],
    ['constructor.prototype', '{"constructor":{"prototype":{"admin":true}}}', 'prototypeKey'],
    ['prototype', '{"prototype":1}', 'prototypeKey'],
    ['NUL as an escape', '{"a":"x\\u0000y"}', 'nul'],
    ['NUL in a key', '{"a\\u0000":1}', 'nul'],
    ['NUL itself', '{"a":"x\0y"}', 'nul'],
    ['a high surrogate alone', '["\\ud800"]', 'surrogate'],
    ['a low surrogate alone', '["\\udc00x"]', 'surrogate'],
    ['surrogates the wrong way round', '["\\udc00\\ud800"]', 'surrogate'],
    ['a surrogate alone in a key', '{"\\ud800":1}', 'surrogate'],
    ['2^53', '[9007199254740992]', 'number'],
    ['2^53 + 1 below zero', '[-9007199254740993]', 'number'],
    ['2^53 as a float', '[9007199254740992.0]', 'number'],
    ['a large integer by exponent', '[1e16]', 'number'],
    ['1e400', '[1e400]', 'number'],
    ['-1e400', '[-1e400]', 'number'],
    ['minus zero', '[-0]', 'number'],
    ['minus zero as a float', '[-0.0]', 'number'],
    ['a number that becomes zero', '[1e-400]', 'number'],
    ['a negative number that becomes zero', '[-1e-400]', 'number'],
    ['400 digits', `[${'9'.repeat(400)}]`, 'number'],
    ['Infinity', '[Infinity]', 'syntax'],
    ['NaN', '[NaN]', 'syntax'],
    ['hexadecimal', '[0x10]', 'syntax'],
    ['a leading zero', '[01]', 'syntax'],
    ['a leading plus', '[+1]', 'syntax'],
    ['a bare point', '[.5]', 'syntax'],
    ['a point at the end', '[1.]', 'syntax'],
    ['an empty exponent', '[1e]', 'syntax'],
    ['a minus alone', '[-]', 'syntax'],
    ['minus before a leading zero', '[-01]', 'number'],
    ['a byte order mark', '\ufeff{}', 'byteOrderMark'],
    ['a byte order mark as bytes', Buffer.from('\ufeff{}'), 'byteOrderMark'],
    ['UTF-16 with its mark', Buffer.from('\ufeff{}', 'utf16le'), 'encoding'],
    ['UTF-16 without a mark', Buffer.from('{}', 'utf16le'), 'syntax'],
    ['UTF-32', Buffer.from([0, 0, 0, 0x7b, 0, 0, 0, 0x7d]), 'syntax'],
    ['Latin-1', Buffer.from('["\u00e9"]', 'latin1'), 'encoding'],
    ['an overlong form', Buffer.from([0x22, 0xc0, 0xaf, 0x22]), 'encoding'],
    ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 'encoding'],
    ['beyond Unicode', Buffer.from([0x22, 0xf5, 0x80, 0x80, 0x80, 0x22]), 'encoding'],
    ['a character cut off', Buffer.from([0x22, 0xe2, 0x82]), 'encoding'],
    ['half a character in a text', '["\ud800"]', 'encoding'],
    ['a second document', '{} {}', 'trailing'],
    ['a bracket too many', '[]]', 'trailing'],
    ['something behind', '{}x', 'trailing'],
    ['NUL behind', '{}\0', 'trailing'],
    ['a comma too many', '[1,]', 'syntax'],
    ['a comma too many in an object', '{"a":1,}', 'syntax'],
    ['a comma first', '[,1]', 'syntax'],
    ['single quotes', "{'a':1}", 'syntax'],
    ['a key without quotes', '{a:1}', 'syntax'],
    ['a number as a key', '{1:1}', 'syntax'],
    ['a comment', '/**/{}', 'syntax'],
    ['a comment inside', '[1/**/]', 'syntax'],
    ['a line break in a string', '["a\nb"]', 'syntax'],
    ['a tab in a string', '["a\tb"]', 'syntax'],
    ['an unknown escape', '["\\x41"]', 'syntax'],
    ['three digits after \\u', '["\\u004"]', 'syntax'],
    ['a capital U', '["\\U0041"]', 'syntax'],
    ['an escape at the end', '"\\', 'syntax'],
    ['a string that does not end', '["a', 'syntax'],
    ['an array that does not end', '[1', 'syntax'],
    ['an object that does not end', '{"a":1', 'syntax'],
    ['the wrong bracket', '[1}', 'syntax'],
    ['no colon', '{"a" 1}', 'syntax'],
    ['two colons', '{"a"::1}', 'syntax'],
    ['nothing', '', 'syntax'],
    ['spaces', '  ', 'syntax'],
    ['a form feed as space', '[\f1]', 'syntax'],
    ['a no-break space', '[\u00a01]', 'syntax'],
    ['a capital word', '[True]', 'syntax'],
    ['a word cut off', '[tru', 'syntax'],
    ['a word too long', '[nulll]', 'syntax'],
    ['undefined', '[undefined]', 'syntax'],
    ['33 arrays', '['.repeat(33) + ']'.repeat(33), 'depth'],
    ['33 objects', '{"a":'.repeat(33) + '1' + '}'.repeat(33), 'depth'],
    ['100,000 arrays that do not end', '['.repeat(100_000), 'depth'],
    [
      '1,001 keys',
      JSON.stringify(Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`k${i}`, i]))),
      'keys',
    ],
    ['10,001 entries', `[${'0,'.repeat(10_000)}0]`, 'items'],
  ];
  test.each(refused)('refuses %s', (_what, input, rule) => expect(ruleOf(input)).toBe(rule));

  test('limits are exact', () => {
    expect(ruleOf('[[]]', { maxDepth: 2 })).toBeUndefined();
    expect(ruleOf('[[[]]]', { maxDepth: 2 })).toBe('depth');
    expect(ruleOf('[[],[],[]]', { maxDepth: 2, maxItems: 3 })).toBeUndefined();
    expect(ruleOf('{"a":{"b":1}}', { maxKeys: 2 })).toBeUndefined();
    expect(ruleOf('{"a":{"b":1,"c":1}}', { maxKeys: 2 })).toBe('keys');
    expect(ruleOf('[[1],[2]]', { maxItems: 4 })).toBeUndefined();
    expect(ruleOf('[[1],[2,3]]', { maxItems: 4 })).toBe('items');
  });

  test('says where, by offset, line, column and pointer, and repeats no value', () => {
    let problem: unknown;
    try {
      parseJson('{\n  "user": {\n    "pin": 1234,\n    "pin": 5678\n  }\n}');
    } catch (error) {
      ({ problem } = error as { problem: unknown });
    }
    expect(problem).toEqual({
      errors: [
        {
          in: 'body',
          pointer: '/user/pin',
          keyword: 'duplicateKey',
          message: 'must not occur twice in one object',
        },
      ],
      position: { offset: 35, line: 4, column: 5 },
    });
    expect(JSON.stringify(problem)).not.toMatch(/1234|5678/);
    try {
      parseJson('["hunter2", hunter3]');
    } catch (error) {
      expect(JSON.stringify([error, (error as Error).message])).not.toContain('hunter');
      expect((error as { problem: { position: unknown } }).problem.position).toEqual({
        offset: 12,
        line: 1,
        column: 13,
      });
    }
  });

  test('work grows with the length and not with its square: hostile forms at 1 MiB end at once', () => {
    const size = 1 << 20;
    const long = { maxDepth: 200, maxKeys: 1_000_000, maxItems: 1_000_000 };
    const forms: readonly string[] = [
      `"${'\\u0041'.repeat(size / 6)}"`,
      `"${'\\\\'.repeat(size / 2)}`,
      `[${'1'.repeat(size)}]`,
      `[1e${'9'.repeat(size)}]`,
      `[0.${'0'.repeat(size)}1]`,
      ' '.repeat(size),
      `{${Array.from({ length: 80_000 }, (_, i) => `"k${i}":${i}`).join(',')}}`,
      `[${'[],'.repeat(size / 3)}`,
      `{"${'a'.repeat(size)}":1,"${'a'.repeat(size)}":1}`,
      '\n'.repeat(size) + 'x',
    ];
    for (const text of forms) {
      const start = process.cpuUsage();
      ruleOf(text, long);
      const { user, system } = process.cpuUsage(start);
      // Quadratic work over a million characters would be minutes.
      expect([text.slice(0, 12), (user + system) / 1000 < 3000]).toEqual([text.slice(0, 12), true]);
    }
  });

  test('ASVS V1.4.2: integers beyond 2^53 - 1, 1e400 and minus zero are refused; 0x10 is no integer in JSON or in a query', async () => {
    for (const text of ['9007199254740992', '1e400', '-0', '0x10'])
      expect(ruleOf(`[${text}]`)).toMatch(/number|syntax/);
    const { default: express } = await import('express');
    const app = express();
    const query = { type: 'object', properties: { n: { type: 'integer' } } } as const;
    app.get('/', validate({ query }), (_req, res) => void res.json('reached'));
    for (const n of ['9007199254740992', '1e400', '-0', '0x10', '']) {
      expect([n, (await request(app).get(`/?n=${n}`)).body]).not.toEqual([n, 'reached']);
    }
    expect((await request(app).get('/?n=9007199254740991')).body).toBe('reached');
  });

  test('ASVS V1.5.2: Object.prototype is what it was after 10,000 hostile bodies', () => {
    const before = Reflect.ownKeys(Object.prototype);
    const key = fc.constantFrom('__proto__', 'constructor', 'prototype', '\\u005f_proto__', 'a', 'polluted');
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof({ maxDepth: 4 }, fc.constant('1'), tie('object')),
      object: fc
        .array(fc.tuple(key, tie('tree')), { maxLength: 3 })
        .map((pairs) => `{${pairs.map(([k, v]) => `"${k}":${String(v)}`).join(',')}}`),
    }));
    let refusals = 0;
    fc.assert(
      fc.property(tree, (text) => {
        const rule = ruleOf(String(text));
        if (rule !== undefined) refusals++;
        else assert.doesNotMatch(String(text), /proto__"|"constructor"|"prototype"/);
      }),
      { numRuns: 10_000 },
    );
    expect(refusals).toBeGreaterThan(1000);
    expect(Reflect.ownKeys(Object.prototype)).toEqual(before);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

test('a wrong option does not start: a limit misread would be no limit (body-parser CVE-2026-12590)', () => {
  const wrong: readonly unknown[] = [
    { limit: '10mbb' },
    { limit: 'lots' },
    { limit: -1 },
    { limit: 0 },
    { limit: '1gb' },
    { limit: '65mb' },
    { limit: Number.NaN },
    { limit: null },
    { limitt: '1kb' },
    { maxDepth: 0 },
    { maxDepth: 201 },
    { types: [] },
    { types: ['application/json; charset=utf-8'] },
    { types: ['Application/JSON'] },
    { codings: ['zstd'] },
    { otherTypes: 'maybe' },
  ];
  for (const options of wrong) expect(() => strictJson(options as StrictJsonOptions)).toThrow(OptionError);
});

onBothExpress((express, major) => {
  function appOf(options: StrictJsonOptions = {}, ...more: RequestHandler[]): Express {
    const app = express();
    app.use(strictJson(options), ...more);
    app.use((req: Request, res: Response) => void res.json({ reached: req.body as unknown }));
    app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
      const { code, status = 500, headers = {}, problem } = error as Record<string, never>;
      res.status(status).set(headers).json({ code, problem });
    });
    return app;
  }
  const send = (
    body: string | Buffer,
    headers: Record<string, string> = {},
    options: StrictJsonOptions = {},
  ) => {
    const sent = request(appOf(options))
      .post('/')
      .set({ 'Content-Type': 'application/json', ...headers });
    return sent.serialize((given: unknown) => given as string).send(body as string);
  };

  /** Bytes as they are, and the whole answer. */
  async function raw(app: Express, text: string, end = true): Promise<string> {
    const server = app.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
      let answer = '';
      socket.setEncoding('latin1').on('data', (chunk: string) => (answer += chunk));
      socket.on('error', () => undefined);
      socket.write(text, 'latin1');
      if (end) socket.end();
      await once(socket, 'close');
      return answer;
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  test('a body is read into req.body', async () => {
    const { status, body } = await send('{"a":[1,"\u00e9"]}');
    expect([status, body]).toEqual([200, { reached: { a: [1, '\u00e9'] } }]);
  });

  test('a request without a body passes without one', async () => {
    expect((await request(appOf()).get('/')).body).toEqual({});
    expect((await request(appOf()).post('/').set('Content-Type', 'application/json')).body).toEqual({});
  });

  test('a body in many pieces is read whole', async () => {
    const pieces = ['{"a":"', 'x'.repeat(5000), '\xc3', '\xa9"}'];
    const chunked =
      pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('') + '0\r\n\r\n';
    const answer = await raw(
      appOf(),
      `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`,
    );
    expect(answer).toContain(`"${'x'.repeat(5000)}\xc3\xa9"`);
  });

  test('a scalar is no document unless that is asked for', async () => {
    for (const text of ['1', '"x"', 'null', 'true']) {
      expect((await send(text)).body.code).toBe('E_JSON');
      expect((await send(text, {}, { scalars: true })).status).toBe(200);
    }
  });

  test('validate() behind it sees the same body', async () => {
    const body = { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] } as const;
    const app = appOf({}, validate({ body }) as RequestHandler);
    const good = await request(app).post('/').send({ a: 1 });
    expect([good.status, good.body]).toEqual([200, { reached: { a: 1 } }]);
    expect((await request(app).post('/').send({ a: '1' })).body.code).toBe('E_VALIDATION');
    expect((await request(app).post('/').send({})).body.code).toBe('E_VALIDATION');
  });

  test('a lax parser behind it finds nothing left to do', async () => {
    const { status, body } = await request(appOf({}, express.json())).post('/').send({ a: 1 });
    expect([status, body]).toEqual([200, { reached: { a: 1 } }]);
  });

  test('it stands where a lax parser has read the body before: nothing hangs', async () => {
    const app = express();
    app.use(express.json(), strictJson());
    app.use((_req: Request, res: Response) => void res.json('reached'));
    app.use(
      (error: { code: string }, _req: Request, res: Response, _next: NextFunction) =>
        void res.status(400).json(error.code),
    );
    const { body } = await request(app).post('/').send({ a: 1 });
    // body-parser 1 says that it has read; version 2 says nothing, and what cannot be read is refused.
    expect(body).toBe(major === 4 ? 'reached' : 'E_BODY_INCOMPLETE');
  });

  describe('sizes', () => {
    test('the limit is exact, in bytes', async () => {
      const text = `{"a":"${'\u00e9'.repeat(5)}"}`;
      expect((await send(text, {}, { limit: Buffer.byteLength(text) })).status).toBe(200);
      const { status, body, headers } = await send(text, {}, { limit: Buffer.byteLength(text) - 1 });
      expect([status, body.code, headers['connection']]).toEqual([413, 'E_BODY_TOO_LARGE', 'close']);
      expect(body.problem).toEqual({ limitBytes: Buffer.byteLength(text) - 1 });
    });

    test('an announced length beyond the limit is refused before a byte of it arrives', async () => {
      const head =
        'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999999999\r\n\r\n';
      expect(await raw(appOf(), head, false)).toMatch(/^HTTP\/1.1 413 [^]*Connection: close/i);
    });

    test('a body without a length is cut at the limit, and the connection with it', async () => {
      const piece = `8000\r\n${' '.repeat(0x8000)}\r\n`;
      const head =
        'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n';
      expect(await raw(appOf({ limit: '64kb' }), head + piece.repeat(4), false)).toMatch(/^HTTP\/1.1 413 /);
    });

    test('a body that stops half-way reaches nobody', async () => {
      const codes: unknown[] = [];
      let reached = false;
      const app = express();
      app.use(strictJson());
      app.use((_req: Request, res: Response) => {
        reached = true;
        res.end();
      });
      app.use((error: { code: string }, _req: Request, res: Response, _next: NextFunction) => {
        codes.push(error.code);
        res.end();
      });
      const head =
        'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a":1}';
      await raw(app, head);
      expect([codes, reached]).toEqual([['E_BODY_INCOMPLETE'], false]);
    });
  });

  describe('content types', () => {
    const read: readonly string[] = [
      'application/json',
      'Application/JSON',
      'application/json;charset=utf-8',
      'application/json; charset=UTF-8',
      'application/json ; charset="utf-8"',
      'application/json;odata=verbose;charset=utf-8',
      'application/json; profile="a;charset=utf-16"',
      'application/json;',
    ];
    test.each(read)('%s is read', async (type) => {
      expect((await send('{"a":1}', { 'Content-Type': type })).body).toEqual({ reached: { a: 1 } });
    });

    const refused: readonly string[] = [
      'text/plain',
      'text/json',
      'application/vnd.api+json',
      'application/problem+json',
      'application/json+x',
      'application/jsonp',
      'xapplication/json',
      'application/json\t\tx',
      'application/json x',
      'application/json, application/json',
      'text/plain, application/json',
      'text/plain; application/json',
      'application/json; charset=utf-16',
      'application/json; charset=utf-7',
      'application/json; charset=latin1',
      'application/json; charset=ibm500',
      'application/json; charset=',
      'application/json; charset',
      'application/json; charset=utf-8; charset=utf-16',
      'application/json; charset=utf-8; CHARSET=utf-8',
      'application/json; charset=utf-8 x',
      'application/json; charset="utf-8',
      'application/ json',
      'application',
      '/json',
      '*/*',
    ];
    test.each(refused)('%s is answered with 415 and what is accepted', async (type) => {
      const { status, body, headers } = await send('{"a":1}', { 'Content-Type': type });
      expect([status, body.code, headers['accept']]).toEqual([415, 'E_MEDIA_TYPE', 'application/json']);
    });

    test('no content type, an empty one and two of them are answered with 415', async () => {
      for (const lines of [
        '',
        'Content-Type:\r\n',
        'Content-Type: application/json\r\ncontent-type: text/plain\r\n',
      ]) {
        const head = `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${lines}Content-Length: 2\r\n\r\n{}`;
        expect(await raw(appOf(), head)).toMatch(/^HTTP\/1.1 415 /);
      }
    });

    test('other types are left alone on request, but not what could be taken for JSON', async () => {
      const pass = { otherTypes: 'pass' } as const;
      expect((await send('a=1', { 'Content-Type': 'application/x-www-form-urlencoded' }, pass)).body).toEqual(
        {},
      );
      for (const type of [
        'application/json; charset=utf-16',
        'text/plain, application/json',
        'application/json x',
      ]) {
        expect((await send('{}', { 'Content-Type': type }, pass)).status).toBe(415);
      }
    });

    test('a +json type is read where it is named, and there only', async () => {
      const types = ['application/vnd.api+json'];
      const header = { 'Content-Type': 'application/vnd.api+json' };
      expect((await send('{"a":1}', header, { types })).body).toEqual({ reached: { a: 1 } });
      expect((await send('{"a":1}', {}, { types })).status).toBe(415);
    });
  });

  describe('content codings', () => {
    const text = JSON.stringify({ a: 'x'.repeat(1000) });
    const all = { codings: ['gzip', 'deflate', 'br'] } as const;
    const packed = { gzip: gzipSync(text), deflate: deflateSync(text), br: brotliCompressSync(text) };

    test.each(Object.entries(packed))('%s is refused unless asked for', async (coding, bytes) => {
      const closed = await send(bytes, { 'Content-Encoding': coding });
      expect([closed.status, closed.body.code]).toEqual([415, 'E_BODY_CODING']);
      expect(closed.headers['accept-encoding']).toBe('identity');
      const open = await send(bytes, { 'Content-Encoding': coding.toUpperCase() }, all);
      expect(open.body).toEqual({ reached: JSON.parse(text) as unknown });
    });

    test.each(['gzip, gzip', 'gzip, identity', 'x-gzip', 'compress', 'zstd', 'gzip;q=1', ''])(
      'the coding "%s" is refused',
      async (coding) => {
        expect((await send(packed.gzip, { 'Content-Encoding': coding }, all)).body.code).toBe(
          'E_BODY_CODING',
        );
      },
    );

    test('identity is no coding', async () => {
      expect((await send('{}', { 'Content-Encoding': 'identity' })).status).toBe(200);
    });

    test('a decompression bomb is cut at the limit: 64 MiB in 64 kB do not unfold', async () => {
      const bombs = {
        gzip: gzipSync(Buffer.alloc(64 << 20, ' ')),
        deflate: deflateSync(Buffer.alloc(64 << 20, ' ')),
        br: brotliCompressSync(Buffer.alloc(8 << 20, ' ')),
      };
      for (const [coding, bomb] of Object.entries(bombs)) {
        expect(bomb.length).toBeLessThan(100 * 1024);
        globalThis.gc?.();
        const before = process.memoryUsage().arrayBuffers;
        const { status, body } = await send(bomb, { 'Content-Encoding': coding }, all);
        expect([coding, status, body.code]).toEqual([coding, 413, 'E_BODY_TOO_LARGE']);
        expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 << 20);
      }
    });

    test('damaged, truncated and continued data is refused', async () => {
      const damaged = Buffer.from(packed.gzip);
      damaged[damaged.length - 5]! ^= 0xff;
      const bodies: readonly Buffer[] = [
        damaged,
        packed.gzip.subarray(0, -4),
        Buffer.concat([packed.gzip, Buffer.from('{"role":"admin"}')]),
        Buffer.from('{}'),
      ];
      for (const body of bodies) {
        expect((await send(body, { 'Content-Encoding': 'gzip' }, all)).body.code).toBe('E_BODY_CODING');
      }
    });
  });

  test('ASVS V1.5.3: what two parsers would read differently is refused, each with its kind', async () => {
    const bodies: readonly (readonly [string | Buffer, Record<string, string>, string])[] = [
      ['{"a":1,"a":2}', {}, 'E_JSON'],
      ['\ufeff{}', {}, 'E_JSON'],
      [Buffer.from('{}', 'utf16le'), {}, 'E_JSON'],
      [
        Buffer.from('{}', 'utf16le'),
        { 'Content-Type': 'application/json; charset=utf-16le' },
        'E_MEDIA_TYPE',
      ],
      [Buffer.from([0, 0, 0, 0x7b, 0, 0, 0, 0x7d]), {}, 'E_JSON'],
      ['{"a":"\\ud800"}', {}, 'E_JSON'],
      ['{}', { 'Content-Type': 'application/patch+json' }, 'E_MEDIA_TYPE'],
    ];
    for (const [body, headers, code] of bodies) expect((await send(body, headers)).body.code).toBe(code);
  });

  test('ASVS V1.5.2: bodies with __proto__ or constructor.prototype are answered with 400', async () => {
    for (const text of ['{"__proto__":{"x":1}}', '{"constructor":{"prototype":{"x":1}}}']) {
      const { status, body } = await send(text);
      expect([status, body.problem.errors[0].keyword]).toEqual([400, 'prototypeKey']);
    }
  });
});
