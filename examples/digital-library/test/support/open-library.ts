import { asUser, mailbox, type Mailbox } from '@portcullis/auth/testing';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createApp } from '../../src/app.js';
import { openHouse, type House } from '../../src/house.js';
import { loadSettings } from '../../src/settings.js';
import { Client } from './client.js';
import { temporaryFolder } from './library-process.js';

export interface Somebody {
  readonly id: string;
  readonly email: string;
  readonly password: string;
  /** Signed in with cookies. */
  readonly browser: Client;
  /** Signed in with a bearer token. */
  readonly program: Client;
}

export interface OpenLibrary {
  readonly house: House;
  readonly url: string;
  /** What was sent; await `house.auth.settled()` first. */
  readonly mail: Mailbox;
  readonly staff: Somebody;
  readonly ann: Somebody;
  readonly bob: Somebody;
  /** Every password, token and cookie that was used; none of them may be found in a log. */
  readonly secrets: Set<string>;
  anonymous(): Client;
  /** Somebody with a session but without a password: cheap, for races. */
  patron(email: string): Promise<{ readonly id: string; readonly program: Client }>;
  /** Another application over the same house, some of whose parts fail. */
  served(house: House): Promise<{ readonly url: string; close(): void }>;
  /** A digest of every table, without sign-ins that were refused and without the access log. */
  stored(): Promise<string>;
  close(): Promise<void>;
}

/**
 * The library as it stands in production: https, behind one trusted proxy, `__Host-` cookies. On PGlite in a temporary
 * folder, or on the services that `env` names.
 */
export async function openLibrary(env: Readonly<Record<string, string>> = {}): Promise<OpenLibrary> {
  const folder = temporaryFolder();
  const settings = {
    DATA_DIRECTORY: folder.path,
    PUBLIC_ORIGIN: 'https://library.example',
    TRUSTED_PROXIES: '127.0.0.1',
    REGISTRATION: 'open', // For tests whose people are many; by mail it is in suites/mail.ts.
    ...env,
  };
  const mail = mailbox();
  const house = await openHouse(loadSettings({ env: settings, files: [] }).values, {
    production: false,
    notify: mail.notify,
  });
  const served = (from: House) => listen(createApp(from).listen(0, '127.0.0.1'));
  const server = await served(house);
  const { url } = server;
  const secrets = new Set<string>();

  async function signedIn(id: string, email: string, password: string): Promise<Somebody> {
    const browser = new Client(url);
    const page = await browser.submit('/sign-in', { email, password });
    if (page.status !== 303) throw new Error(`The sign-in of ${email} answers ${page.status}.`);
    const program = new Client(url);
    const answer = await program.post('/api/auth/sign-in', { login: email, password, transport: 'bearer' });
    const { access_token, refresh_token } = answer.body as Record<string, string>;
    program.token = access_token;
    for (const secret of [password, access_token!, refresh_token!, ...browser.cookies.values()]) {
      secrets.add(secret);
    }
    return { id, email, password, browser, program };
  }
  async function newPatron(name: string): Promise<Somebody> {
    const [email, password] = [`${name}@readers.example`, `${name} reads ${crypto.randomUUID()}`];
    const answer = await new Client(url).post('/api/auth/register', { login: email, password });
    return signedIn((answer.body as { userId: string }).userId, email, password);
  }

  const { email, password } = house.firstStaff!;
  const staffId = (await house.people.findByLogin(email))!.id;
  return {
    house,
    url,
    mail,
    staff: await signedIn(staffId, email, password),
    ann: await newPatron('ann'),
    bob: await newPatron('bob'),
    secrets,
    anonymous: () => new Client(url),
    async patron(login) {
      const person = await house.people.create({ login, passwordHash: 'none' });
      const program = new Client(url);
      program.token = (await asUser(house.auth, person!.id)).pair.accessToken;
      return { id: person!.id, program };
    },
    served,
    stored: () => digest(house),
    async close() {
      server.close();
      await house.close();
      folder.remove();
    },
  };
}

async function listen(server: Server): Promise<{ readonly url: string; close(): void }> {
  if (!server.listening) await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** What is stored, but for what the audit log says of requests, intents and refusals. */
async function digest({ sql, audit }: House): Promise<string> {
  // What triggers wrote about earlier changes is on its way into the log.
  await audit.relay(0);
  const tables = await sql.query<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
     where table_schema in ('library', 'portcullis') and table_type = 'BASE TABLE' and table_name not in ('audit_batch', 'audit_sealed', 'audit_subject_key', 'audit_unplaced', 'audit_placed', 'audit_tile', 'audit_checkpoint', 'rbac_use') order by 1`,
  );
  const parts = tables.rows.map(({ name }) => {
    const where = name.endsWith('audit_entry')
      ? `where t.kind = 'action' and t.outcome = 'success' and t.action not like '%-requested'`
      : '';
    return `select '${name}' as name, count(*)::text as rows, md5(coalesce(string_agg(t::text, '|' order by t::text), '')) as digest from ${name} t ${where}`;
  });
  const found = await sql.query<{ name: string; rows: string; digest: string }>(parts.join(' union all '));
  return found.rows.map(({ name, rows, digest: text }) => `${name}: ${rows} rows, ${text}`).join('\n');
}
