import type { SecurityRequest, SecurityResponse } from '@portcullis/core';
import { valueOf } from './cookies.js';

/** Keeps the secret of a passkey's challenge in the browser that asked for it, out of reach of scripts. */
export interface CeremonyCookie {
  read(req: SecurityRequest): string | undefined;
  write(res: SecurityResponse, ceremony: string, ttlMs: number): void;
  clear(res: SecurityResponse): void;
}

/** `__Host-passkey`: Secure, HttpOnly, SameSite=Strict, Path=/, as long as the challenge. */
export function createCeremonyCookie(profile: 'host' | 'development'): CeremonyCookie {
  const development = profile === 'development';
  const name = development ? 'dev-passkey' : '__Host-passkey';
  const flags = `Path=/; ${development ? '' : 'Secure; '}HttpOnly; SameSite=Strict`;

  function put(res: SecurityResponse, value: string, seconds: number): void {
    const lines = [res.getHeader('Set-Cookie') ?? []].flat().map(String);
    const kept = lines.filter((line) => !line.startsWith(`${name}=`));
    res.setHeader('Set-Cookie', [...kept, `${name}=${value}; ${flags}; Max-Age=${seconds}`]);
  }
  return {
    read: (req) => valueOf(req.headers.cookie ?? '', name) || undefined,
    write: (res, ceremony, ttlMs) => put(res, ceremony, Math.floor(ttlMs / 1000)),
    clear: (res) => put(res, '', 0),
  };
}
