import { createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export async function listening(server: Server, use: (port: number) => Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use((server.address() as AddressInfo).port);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** Serves on the loopback for the length of `use`; requests go out exactly as written. */
export async function onWire(
  app: Parameters<typeof createServer>[1],
  use: (send: (sent?: Sent) => Promise<Answer>, self: string) => Promise<void>,
): Promise<void> {
  await listening(createServer(app!), (port) =>
    use((sent = {}) => exchange(port, sent), `http://127.0.0.1:${port}`),
  );
}

export function exchange(
  port: number,
  { method = 'POST', path = '/', headers = {}, body }: Sent,
): Promise<Answer> {
  const lines = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
  return new Promise((resolve, reject) => {
    const req = httpRequest(
      { port, host: '127.0.0.1', method, path, headers: lines as Record<string, string> },
      (res) => {
        let text = '';
        res.setEncoding('utf8');
        res.on('data', (chunk: string) => (text += chunk));
        res.on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, text }));
      },
    );
    req.on('error', reject);
    req.end(body);
  });
}

/** The cookies that an answer sets, as the next request of the browser brings them; a deleted one is left out. */
export function cookiesOf(answer: Answer): string {
  const lines = answer.headers['set-cookie'] ?? [];
  return lines
    .filter((line) => !/max-age=0/i.test(line))
    .map((line) => line.split(';', 1)[0]!)
    .join('; ');
}
