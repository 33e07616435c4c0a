import type { Stage } from './stage.js';

/** What a middleware that is a router in itself says of its routes to tools that read them: the facts of its stage. */
export interface ServedRoutes {
  readonly serves: readonly ServedRoute[];
}

export interface ServedRoute {
  /** Upper-case. */
  readonly method: string;
  /** As Express has it, from where the middleware is mounted: `/sessions/:id`. */
  readonly path: string;
  readonly summary: string;
  /** What has to be passed. */
  readonly guard: Stage;
  /** A JSON Schema (2020-12) of the body, as JSON. */
  readonly body?: object;
  /** Names of request headers that are read, besides those of every request. */
  readonly headers: readonly { readonly name: string; readonly required: boolean }[];
  /** What success answers. No schema: no body. */
  readonly answers: { readonly status: number; readonly schema?: object; readonly type?: string };
  /** Codes of the problems that it may answer with, by status. */
  readonly refusals: Readonly<Record<number, readonly string[]>>;
}

/** The routes that a stage says it serves. */
export function servedRoutesOf(stage: Stage | undefined): readonly ServedRoute[] {
  const facts: Partial<ServedRoutes> | undefined = stage?.facts;
  return facts?.serves ?? [];
}
