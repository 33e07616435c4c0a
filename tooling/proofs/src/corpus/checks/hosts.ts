import { check, HOST, type Check, type RequestParts } from '../check.js';

const HOSTS: readonly (readonly [id: string, host: string])[] = [
  ['evil', 'evil.example'],
  ['suffix', `${HOST}.evil.example`],
  ['prefix', `evil-${HOST}`],
  ['user', `x@${HOST}`],
  ['port', `${HOST}:80a`],
  ['port-huge', `${HOST}:99999`],
  ['list', `${HOST}, evil.example`],
  ['path', `${HOST}/evil`],
  ['address', '127.0.0.1'],
  ['localhost', 'localhost'],
];

const PATHS: readonly (readonly [id: string, path: string])[] = [
  ['fragment', '/api/hello#x'],
  ['fragment-in-query', '/api/search?q=a#b'],
  ['absolute-elsewhere', 'http://evil.example/api/hello'],
  ['secret-password', '/api/hello?password=hunter2'],
  ['secret-token', '/api/hello?access_token=abc'],
  ['secret-key', '/api/hello?api_key=abc'],
  ['secret-encoded', '/api/hello?%70assword=hunter2'],
  ['secret-by-value', '/api/hello?x=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2lnbmF0dXJl'],
  ['override-parameter', '/api/hello?_method=DELETE'],
  ['trailing-nul', '/api/hello?x=%00'],
];

const METHODS = ['TRACE', 'PROPFIND', 'PURGE', 'SEARCH', 'LINK'];
const HIDDEN = ['/files/.env', '/files/.git/config', '/files/%2eenv', '/files/.%67it/config'];

/** A GET that has to end before any handler. */
const refused = (id: string, sends: string, parts: RequestParts, handler: string): Check =>
  check(
    'hosts and addresses',
    id,
    sends,
    'refused (4xx), no handler reached',
    async (client) => {
      const { status } = await client.ask(parts);
      return status >= 400 && status < 500 && !(await client.reached()).includes(handler);
    },
    'no host list',
  );

export const hosts: readonly Check[] = [
  ...HOSTS.map(([id, host]) =>
    refused(`host-${id}`, `GET / of Host: ${host}`, { headers: { host }, path: '/' }, 'page'),
  ),
  refused('host-twice', 'a second Host', { lines: ['Host: evil.example'], path: '/' }, 'page'),
  ...PATHS.map(([id, path]) =>
    refused(id, `GET ${path}`, { path }, path.includes('search') ? 'search' : 'hello'),
  ),
  ...['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override'].map((name) =>
    refused(`override-${name.toLowerCase()}`, `${name}: DELETE`, { headers: { [name]: 'DELETE' } }, 'hello'),
  ),
  ...METHODS.map((method) =>
    check('hosts and addresses', `method-${method.toLowerCase()}`, `${method} /`, '405', async (client) => {
      const { status, body } = await client.ask({ method, path: '/', headers: { cookie: 'session=ann' } });
      return status === 405 && !body.includes('session=ann');
    }),
  ),
  ...HIDDEN.map((path) =>
    check(
      'hosts and addresses',
      `hidden-${path.slice(7)}`,
      `GET ${path}`,
      'nothing of the file',
      async (client) => {
        const { status, body } = await client.get(path);
        return status >= 400 && status < 500 && !body.includes('of-the-shop');
      },
    ),
  ),
  check(
    'hosts and addresses',
    'forwarded-host',
    'X-Forwarded-Host: evil.example through the proxy',
    'nobody is told that the service is evil.example',
    async (client) => {
      const { body } = await client.get('/api/whoami', { 'x-forwarded-host': 'evil.example' });
      return !body.includes('evil');
    },
  ),
  check(
    'hosts and addresses',
    'forwarded-for',
    'an address in front of the one that the proxy wrote',
    'the client is who the proxy saw',
    async (client) => {
      const answer = await client.get('/api/whoami', { 'x-forwarded-for': `6.6.6.6, ${client.address}` });
      return (answer.json() as { ip: string }).ip === client.address;
    },
  ),
];
