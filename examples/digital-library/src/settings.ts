import { loadConfig, setting, type LoadConfigOptions } from '@portcullis/config';

/** Everything the library can be told from outside: environment, `.env`, or files named by `*_FILE`. */
const declaration = {
  HOST: setting.string({ default: '127.0.0.1', note: 'address to listen on' }),
  PORT: setting.integer({
    min: 0,
    max: 65_535,
    default: 3000,
    note: 'port to listen on; 0 takes a free one',
  }),
  DATABASE_URL: setting.url({
    protocols: ['postgres:', 'postgresql:'],
    secret: true,
    optional: true,
    note: 'PostgreSQL; without it PGlite keeps the data in DATA_DIRECTORY',
  }),
  REDIS_URL: setting.url({
    protocols: ['redis:', 'rediss:'],
    secret: true,
    optional: true,
    note: 'Redis for the counts of requests and password guesses; without it they live in this process',
  }),
  DATA_DIRECTORY: setting.string({
    default: '.data',
    note: 'folder of the embedded database and of generated keys',
  }),
  SIGNING_KEYS: setting.secret({
    minBytes: 64,
    requiredIn: 'production',
    note: 'JSON Web Keys that sign access tokens; generated into DATA_DIRECTORY where it is not required',
  }),
  AUDIT_KEY: setting.secret({
    minBytes: 64,
    requiredIn: 'production',
    note: 'Ed25519 key (PKCS #8 PEM) that speaks for the audit log; generated like SIGNING_KEYS',
  }),
  AUDIT_ANCHOR: setting.string({
    optional: true,
    note: 'file that gets checkpoints of the audit log, best on another disk; none: audit-anchor.ndjson in DATA_DIRECTORY',
  }),
  FACTOR_KEY: setting.secret({
    minBytes: 43,
    requiredIn: 'production',
    note: '32 bytes as base64url that seal the secrets of authenticator apps in the database; generated like SIGNING_KEYS',
  }),
  NOTIFY_URL: setting.url({
    protocols: ['https:', 'http:'],
    secret: true,
    optional: true,
    note: 'service that sends mail: gets POST of { to, subject, text } as JSON; without it messages are printed, and with a DATABASE_URL there are none and no password is reset by mail',
  }),
  REGISTRATION: setting.oneOf(['by-mail', 'open', 'off'], {
    optional: true,
    note: 'by-mail: people show that the address is theirs, and no answer tells who has an account; open: at once; off: nobody; without it by-mail where messages can be sent, else off',
  }),
  TRUSTED_PROXIES: setting.list(setting.string(), {
    optional: true,
    note: 'networks of the proxies in front, such as 10.0.0.0/8; none: clients connect directly',
  }),
  PUBLIC_ORIGIN: setting.url({
    protocols: ['https:', 'http:'],
    requiredIn: 'production',
    note: 'how people reach the library, such as https://library.example.org',
  }),
} as const;

export function loadSettings(options: LoadConfigOptions = {}) {
  return loadConfig(declaration, options);
}

export type Settings = ReturnType<typeof loadSettings>['values'];
