import { connect } from 'node:net';
import { expect, test } from '@jest/globals';
import { onBothExpress } from '@portcullis/test-support';
import { errorHandler, notFound } from '../src/index.js';
import { secureServer, type RequestListener } from '../src/server.js';

// What went wrong in parts that stand around this package, by its identifier.
onBothExpress((express) => {
  test.each([
    ['CVE-2024-45296', '/:a-:b', `/a${'-a'.repeat(3_900)}/x`],
    ['CVE-2024-52798', '/:a.:b', `/a${'.a'.repeat(3_900)}/x`],
    ['CVE-2026-4867', '/:a-:b-:c', `/${'a-'.repeat(3_900)}/x`],
  ])(
    'path-to-regexp %s: the longest address that a server takes is answered at once',
    async (_id, pattern, path) => {
      const app = express();
      app.get(pattern, (_req, res) => void res.send('FOUND'));
      app.use(notFound(), errorHandler({ logger: false }));
      const server = secureServer(app as unknown as RequestListener, { drainMs: 100 });
      const { port } = await server.listen({ port: 0, host: '127.0.0.1' });
      try {
        const began = performance.now();
        expect(path.length).toBeGreaterThan(7_000);
        expect(await get(port, path)).toMatch(/^HTTP\/1\.1 404 /);
        // Quadratic is what these patterns are; exponential, or cubic, would need minutes.
        expect(performance.now() - began).toBeLessThan(10_000);
        expect(await get(port, `${path}${'a'.repeat(2_000)}`)).toMatch(/^HTTP\/1\.1 414 /);
      } finally {
        await server.close();
      }
    },
  );

  test.each([
    ['CVE-2026-4923: several wildcards with a parameter', '/*foo-*bar-:baz', `/${'a-'.repeat(3_900)}`],
    ['CVE-2026-4923: a wildcard in the middle', '/x/*a-:b/*c/y', `/x/${'a-b/'.repeat(1_950)}`],
    ['CVE-2026-4926: optional groups', '/{a}{b}{c}{d}{e}{f}{g}:z', `/${'abcdefg'.repeat(1_100)}/`],
    ['CVE-2026-4926: more of them than can be tried', `/${'{a}'.repeat(14)}:z`, `/${'a'.repeat(7_800)}/`],
  ])('path-to-regexp %s: ends at once, or the route does not start', async (_id, pattern, path) => {
    const app = express();
    try {
      app.get(pattern, (_req, res) => void res.send('FOUND'));
    } catch (error) {
      // Express 5 refuses what would be too much; 4 has another syntax.
      expect(error).toBeInstanceOf(Error);
      return;
    }
    app.use(notFound(), errorHandler({ logger: false }));
    const server = secureServer(app as unknown as RequestListener, { drainMs: 100 });
    const { port } = await server.listen({ port: 0, host: '127.0.0.1' });
    try {
      const began = performance.now();
      expect(await get(port, path)).toMatch(/^HTTP\/1\.1 (?:200|404) /);
      expect(performance.now() - began).toBeLessThan(10_000);
    } finally {
      await server.close();
    }
  });

  test('express and fastify, seen: what a handler had said of its answer does not describe the error (Content-Encoding: gzip)', async () => {
    const app = express();
    app.get('/', (_req, res) => {
      res.set({ 'Content-Encoding': 'gzip', ETag: '"1"', 'Cache-Control': 'public', 'Content-Length': '9' });
      throw new Error('too late');
    });
    app.use(errorHandler({ logger: false }));
    const server = secureServer(app as unknown as RequestListener, { drainMs: 100 });
    const { port } = await server.listen({ port: 0, host: '127.0.0.1' });
    try {
      const answer = await get(port, '/');
      expect(answer).toMatch(/^HTTP\/1\.1 500 /);
      expect(answer).toMatch(/cache-control: no-store/i);
      expect(answer).not.toMatch(/content-encoding|etag|public/i);
    } finally {
      await server.close();
    }
  });
});

function get(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nConnection: close\r\n\r\n`,
      ),
    );
    let text = '';
    socket.on('data', (data) => (text += data.toString('latin1')));
    socket.on('error', reject).on('close', () => resolve(text));
  });
}
