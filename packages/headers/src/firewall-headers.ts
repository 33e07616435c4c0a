import type { SecurityRequest } from '@portcullis/core';

/** What only a proxy of ours may say of a request: who sent it, over what, to whom. */
const FORWARDING =
  /^(?:forwarded|x-forwarded(?:-.*)?|x-real-ip|x-client-ip|x-remote-(?:addr|ip)|x-cluster-client-ip|true-client-ip|cf-(?:connecting-ip|ipcountry|visitor)|fastly-(?:client-ip|ssl)|x-envoy-external-address|x-azure-(?:clientip|socketip)|front-end-https|x-scheme|x-url-scheme|x-ssl-client-.*|ssl-client-.*|x-client-cert.*)$/;

/** What replaces the address or host that the request itself names. Some frameworks and caches obey; no proxy of ours needs it. */
const REWRITING =
  /^(?:x-original-url|x-rewrite-url|x-original-uri|x-original-host|x-host|x-http-host-override|x-forwarded-server|x-override-url)$/;

const OVERRIDING = ['x-http-method-override', 'x-http-method', 'x-method-override'] as const;

export function overridesMethod(req: SecurityRequest): boolean {
  for (const name of OVERRIDING) if (req.headers[name] !== undefined) return true;
  return false;
}

/**
 * True if the ends of the message could be seen in two places: `Content-Length` beside `Transfer-Encoding`, another transfer
 * coding than `chunked` alone, or a length that is no number. Node's parser refuses the first two unless it was told to be lenient.
 * @see RFC 9112 sections 6.1 and 6.3
 */
export function isFramingAmbiguous(req: SecurityRequest): boolean {
  const coding = req.headers['transfer-encoding'];
  const length = req.headers['content-length'];
  if (coding !== undefined) return length !== undefined || coding.toLowerCase() !== 'chunked';
  return length !== undefined && !/^\d{1,15}$/.test(length);
}

/** True if there are several `Host` lines; Node hands on the first one only. */
export function hasSeveralHosts({ rawHeaders }: SecurityRequest): boolean {
  let seen = false;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (name.length !== 4 || name.toLowerCase() !== 'host') continue;
    if (seen) return true;
    seen = true;
  }
  return false;
}

/** Names of headers that this peer had no right to send. `own`: further ones that only our proxies may set. */
export function unwarrantedHeaders(
  req: SecurityRequest,
  fromProxy: boolean,
  own: ReadonlySet<string>,
): readonly string[] {
  let found: string[] | undefined;
  for (const name in req.headers) {
    // All of them begin with one of six letters: most names need no expression.
    if (!own.has(name) && !'xfcts'.includes(name[0]!)) continue;
    const foreign = REWRITING.test(name) || (!fromProxy && (own.has(name) || FORWARDING.test(name)));
    if (foreign) (found ??= []).push(name);
  }
  return found ?? NONE;
}

const NONE: readonly string[] = Object.freeze([] as string[]);

/** Takes headers off a request, from every place where Node keeps them. */
export function stripHeaders(req: SecurityRequest, names: readonly string[]): void {
  // Node derives this list when it is first read, from as many raw headers as there once were: read it before they get fewer.
  const distinct = req.headersDistinct as Record<string, unknown> | undefined;
  for (const name of names) {
    delete req.headers[name];
    if (distinct) delete distinct[name];
  }
  const gone = new Set(names);
  const kept: string[] = [];
  for (let i = 0; i < req.rawHeaders.length; i += 2) {
    if (!gone.has(req.rawHeaders[i]!.toLowerCase()))
      kept.push(req.rawHeaders[i]!, req.rawHeaders[i + 1] ?? '');
  }
  req.rawHeaders.splice(0, req.rawHeaders.length, ...kept);
}
