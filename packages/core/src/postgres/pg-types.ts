// What is used of `pg` 8: its types are no dependency of this package.

export interface PgResult {
  readonly rows: unknown[];
  readonly rowCount: number | null;
  readonly command: string;
}

export interface PgQueryConfig {
  text: string;
  values?: unknown[];
  types?: { getTypeParser(oid: number, format?: 'text' | 'binary'): (text: string) => unknown };
}

interface PgEvents {
  on(event: 'error', listener: (error: Error) => void): unknown;
  removeListener(event: 'error', listener: (error: Error) => void): unknown;
}

export interface PgClientLike extends PgEvents {
  query(config: PgQueryConfig): Promise<unknown>;
}

export interface PgPoolClientLike extends PgClientLike {
  /** With `true` the connection is closed instead of returned. */
  release(destroy?: boolean): void;
}

/** The `Pool` of `pg` 8, or anything with its shape. */
export interface PgPoolLike {
  connect(): Promise<PgPoolClientLike>;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** What `pg`'s own pool tells besides: each new connection, before anybody gets it. */
export interface PgPoolInternals {
  on(event: 'connect', listener: (client: PgClientLike) => void): unknown;
}

/** Where `pg` keeps what a CancelRequest and a connection of one's own need. */
export interface PgClientInternals {
  readonly host?: string;
  readonly port?: number;
  readonly ssl?: unknown;
  readonly processID?: number | null;
  readonly secretKey?: number | null;
  getTypeParser?(oid: number, format?: 'text' | 'binary'): (text: string) => unknown;
}
