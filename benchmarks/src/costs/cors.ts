import { cors, requestFirewall } from '@portcullis/headers';
import npmCors from 'cors';
import { costCase, exchange, mustPass, type CostGroup, type ExchangeOptions } from './harness.js';

type Pair = ReturnType<typeof exchange>;
type Run = (req: never, res: never, next: (error?: unknown) => void) => unknown;

const listed = ['https://app.example.com', 'https://admin.example.com'];
const settings = {
  credentials: true,
  allowedHeaders: ['Content-Type', 'Authorization'],
  exposedHeaders: ['X-Total'],
};
const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const ours = cors({ origins: listed, ...settings });
const peer = npmCors({ origin: listed, methods, maxAge: 600, ...settings });
const oursByPattern = cors({ origins: ['https://*.example.com'], ...settings });
const peerByPattern = npmCors({
  origin: /^https:\/\/[^.]+\.example\.com$/,
  methods,
  maxAge: 600,
  ...settings,
});

const origin = 'https://app.example.com';
const actual: ExchangeOptions = { headers: { host: 'api.example.com', origin } };
const preflight: ExchangeOptions = {
  method: 'OPTIONS',
  headers: {
    host: 'api.example.com',
    origin,
    'access-control-request-method': 'PUT',
    'access-control-request-headers': 'authorization,content-type',
  },
};

function one(name: string, run: Run, sent: ExchangeOptions): ReturnType<typeof costCase> {
  return costCase<Pair>({
    name,
    prepare: () => exchange(sent),
    call: ({ req, res }) => run(req as never, res as never, mustPass),
  });
}

function pair(title: string, sent: ExchangeOptions, note: string, a: Run = peer, b: Run = ours): CostGroup {
  return {
    title,
    note,
    batch: 500,
    peers: ['cors'],
    cases: [one('cors', a, sent), one('@portcullis/headers cors()', b, sent)],
    claims: [{ ours: '@portcullis/headers cors()', peer: 'cors', atMost: 1 }],
  };
}

const firewall = requestFirewall({ hosts: ['library.example'] });
const pass: Run = (_req, _res, next) => next();
const plain: ExchangeOptions = {
  url: '/books/7?page=2',
  headers: {
    host: 'library.example',
    accept: 'text/html',
    'accept-encoding': 'gzip',
    'accept-language': 'en',
    cookie: 'a=b',
    'user-agent': 'x',
    'sec-fetch-site': 'same-origin',
  },
};

export const groups: readonly CostGroup[] = [
  pair('CORS, a request of a listed origin', actual, 'Both write the same four headers and `Vary`.'),
  pair(
    'CORS, a preflight of a listed origin',
    preflight,
    'Ours also checks method and headers that are asked for; cors answers yes to all of them.',
  ),
  pair(
    'CORS, a request by a pattern of subdomains',
    actual,
    'Ours looks names up; cors is given an anchored regular expression.',
    peerByPattern,
    oursByPattern,
  ),
  {
    title: 'Request firewall',
    note: 'A request of a browser that meets none of the rules, nearly all there are. No peer does this for Express.',
    batch: 1000,
    cases: [
      one('a middleware that does nothing', pass, plain),
      one('requestFirewall()', firewall as Run, plain),
      one('requestFirewall(), an encoded path', firewall as Run, { ...plain, url: '/caf%C3%A9/%E6%9C%AC' }),
    ],
  },
];
