/**
 * Domains under which strangers register names, so that a pattern of their subdomains lets everybody in. A single label is
 * always one; of the longer ones this is the often-used part, not the whole Public Suffix List.
 */
const SUFFIXES: ReadonlySet<string> = new Set([
  // Country registries with a second level.
  ...['ac', 'co', 'gov', 'ltd', 'me', 'net', 'org', 'plc', 'sch'].map((label) => `${label}.uk`),
  ...['asn', 'com', 'edu', 'gov', 'id', 'net', 'org'].map((label) => `${label}.au`),
  ...['ac', 'ad', 'co', 'ed', 'go', 'gr', 'lg', 'ne', 'or'].map((label) => `${label}.jp`),
  ...['ac', 'co', 'go', 'ne', 'or', 're'].map((label) => `${label}.kr`),
  ...['ac', 'co', 'gen', 'govt', 'net', 'org', 'school'].map((label) => `${label}.nz`),
  ...['ac', 'co', 'gov', 'net', 'org', 'web'].map((label) => `${label}.za`),
  ...['ac', 'co', 'edu', 'firm', 'gen', 'gov', 'ind', 'net', 'org'].map((label) => `${label}.in`),
  ...['com', 'edu', 'gov', 'net', 'org'].flatMap((label) =>
    [
      'ar',
      'bd',
      'br',
      'cn',
      'co',
      'eg',
      'hk',
      'mx',
      'my',
      'ng',
      'pe',
      'ph',
      'pk',
      'pl',
      'sa',
      'sg',
      'tr',
      'tw',
      'ua',
      'vn',
    ].map((country) => `${label}.${country}`),
  ),
  'co.id',
  'co.il',
  'co.th',
  // Hosting under a shared name.
  'amazonaws.com',
  'appspot.com',
  'azurestaticapps.net',
  'azurewebsites.net',
  'blogspot.com',
  'cloudapp.net',
  'cloudfront.net',
  'deno.dev',
  'firebaseapp.com',
  'fly.dev',
  'github.io',
  'gitlab.io',
  'glitch.me',
  'herokuapp.com',
  'netlify.app',
  'ngrok-free.app',
  'ngrok.io',
  'now.sh',
  'onrender.com',
  'pages.dev',
  'railway.app',
  'run.app',
  's3.amazonaws.com',
  'surge.sh',
  'trycloudflare.com',
  'vercel.app',
  'web.app',
  'workers.dev',
]);

/** `localhost` is no public suffix: all names below it are this machine (RFC 6761). */
export function isPublicSuffix(host: string): boolean {
  const name = host.endsWith('.') ? host.slice(0, -1) : host;
  return name !== 'localhost' && (!name.includes('.') || SUFFIXES.has(name));
}
