import type { IncomingMessage, ServerResponse } from 'node:http';

/** A header as it will be written. */
export type HeaderLine = readonly [name: string, value: string];

/** What a library wrote on a response that was never sent. */
export interface Recording {
  readonly lines: readonly HeaderLine[];
  readonly status: number;
  /** True if the library ended the response itself. */
  readonly ended: boolean;
}

type Recordable = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

/**
 * Runs middleware of another library once, while ours is built, and keeps what they wrote. The libraries do the rendering
 * and the checking of it; a request costs only the writing.
 * @throws what the library throws or hands to `next`
 */
export function record(middleware: readonly Recordable[], request: Partial<IncomingMessage> = {}): Recording {
  const lines = new Map<string, HeaderLine>();
  let ended = false;
  const key = (name: string) => name.toLowerCase();
  const response = {
    statusCode: 200,
    setHeader(name: string, value: number | string | readonly string[]) {
      lines.set(key(name), [name, Array.isArray(value) ? value.join(', ') : String(value)]);
      return response;
    },
    getHeader: (name: string) => lines.get(key(name))?.[1],
    removeHeader: (name: string) => void lines.delete(key(name)),
    end() {
      ended = true;
      return response;
    },
  };
  for (const run of middleware) {
    let failed: { readonly error: unknown } | undefined;
    run(
      { method: 'GET', url: '/', headers: {}, ...request } as IncomingMessage,
      response as unknown as ServerResponse,
      (error) => {
        if (error !== undefined) failed = { error };
      },
    );
    if (failed) throw failed.error;
  }
  return { lines: [...lines.values()], status: response.statusCode, ended };
}
