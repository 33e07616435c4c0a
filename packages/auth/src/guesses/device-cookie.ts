import type { SecurityRequest, SecurityResponse } from '@portcullis/core';

/** A browser may belong to several people: this many of them are known on it, the last ones. */
const MOST = 4;

export interface DeviceCookie {
  read(req: SecurityRequest): readonly string[];
  /** Puts a token before those that the browser brought. */
  write(res: SecurityResponse, token: string): void;
}

/** `__Host-device`: Secure, HttpOnly, SameSite=Strict, Path=/. Signing out leaves it: that is what it is for. */
export function createDeviceCookie(profile: 'host' | 'development', ttlMs: number): DeviceCookie {
  const development = profile === 'development';
  const name = development ? 'dev-device' : '__Host-device';
  const flags = `Path=/; ${development ? '' : 'Secure; '}HttpOnly; SameSite=Strict; Max-Age=${Math.floor(ttlMs / 1000)}`;

  function read(req: SecurityRequest): readonly string[] {
    const parts = (req.headers.cookie ?? '').slice(0, 16_384).split(';');
    const values = parts.map((part) => part.trim()).filter((part) => part.startsWith(`${name}=`));
    // Two of one name: nobody can say which one is ours.
    return values.length === 1 ? values[0]!.slice(name.length + 1).split('~', MOST) : [];
  }

  return {
    read,
    write(res, token) {
      const brought = read((res as { req?: SecurityRequest }).req ?? ({ headers: {} } as SecurityRequest));
      const device = token.split('.')[1];
      const others = brought.filter((one) => one.split('.')[1] !== device).slice(0, MOST - 1);
      const lines = [res.getHeader('Set-Cookie') ?? []].flat().map(String);
      const kept = lines.filter((line) => !line.startsWith(`${name}=`));
      res.setHeader('Set-Cookie', [...kept, `${name}=${[token, ...others].join('~')}; ${flags}`]);
    },
  };
}
