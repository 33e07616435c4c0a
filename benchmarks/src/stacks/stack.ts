import type { RequestListener } from 'node:http';

/** One way to build the same service: `GET /hello` for a signed-in user, answering a small JSON document. */
export interface Stack {
  readonly name: string;
  /** What is in it, for the table. */
  readonly parts: string;
  build(): Promise<{ readonly app: RequestListener; readonly headers: Readonly<Record<string, string>> }>;
}
