import renderCors from 'cors';
import { record, type HeaderLine } from './recorder.js';

interface CorsSettings {
  readonly anyOrigin: boolean;
  readonly methods: readonly string[];
  readonly allowedHeaders: readonly string[];
  readonly exposedHeaders: readonly string[];
  readonly credentials: boolean;
  readonly maxAgeSeconds: number;
}

export interface CorsRecording {
  /** Constant headers; `Vary` is left out, because it is appended to what others have written. */
  readonly lines: readonly HeaderLine[];
  /** The header that takes the asking origin; undefined where every origin gets `*`. */
  readonly originName: string | undefined;
  readonly status: number;
}

const SAMPLE = 'https://sample.invalid';

/** Lets the cors library answer one request and one preflight of an allowed origin, and keeps what it wrote. */
export function recordCors(settings: CorsSettings): {
  readonly actual: CorsRecording;
  readonly preflight: CorsRecording;
} {
  const middleware = renderCors({
    origin: settings.anyOrigin ? '*' : [SAMPLE],
    methods: [...settings.methods],
    allowedHeaders: [...settings.allowedHeaders],
    exposedHeaders: [...settings.exposedHeaders],
    credentials: settings.credentials,
    maxAge: settings.maxAgeSeconds,
  });
  const run = (method: string): CorsRecording => {
    const { lines, status, ended } = record([middleware], { method, headers: { origin: SAMPLE } });
    if (ended !== (method === 'OPTIONS'))
      throw new Error(`The cors library answered ${method} unexpectedly.`);
    return {
      lines: lines.filter(([name, value]) => value !== SAMPLE && name !== 'Vary'),
      originName: lines.find(([, value]) => value === SAMPLE)?.[0],
      status,
    };
  };
  return { actual: run('GET'), preflight: run('OPTIONS') };
}
