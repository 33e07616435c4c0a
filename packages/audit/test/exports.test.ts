import { describe, expect, test } from '@jest/globals';
import { vectorsDirectory } from '@portcullis/test-support';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  createAudit,
  entryFormatter,
  exportAs,
  memoryAudit,
  type AuditEntry,
  type ExportFormat,
} from '../src/index.js';
import { OUTCOMES } from '../src/entry.js';
import { vocabularyEvents, vocabularyOf } from '../src/exports/vocabulary.js';

const FORMATS: readonly ExportFormat[] = ['ndjson', 'ocsf', 'ecs', 'syslog', 'cef'];
const packages = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Ends a line, starts another one, moves the cursor, hides what stands before, turns the direction around. */
const FORGED =
  'x\r\n<104>1 2026-01-01T00:00:00Z h a - forged [x] ok\nCEF:0|A|B|1|forged|ok|1|\u2028{"forged":true}\u0085\u001b[2J\u202e\u2066\u200f\ufeff\0 "]\\| a=b';

// oxlint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;

function entry(fields: Partial<AuditEntry> = {}): AuditEntry {
  return {
    id: '3f0b7a3e-0000-4000-8000-000000000001',
    time: '2026-11-22T10:11:12.345Z',
    kind: 'action',
    action: 'book.updated',
    outcome: 'success',
    actor: { kind: 'user', id: 'ann', tenant: 'north' },
    target: { type: 'book', id: '12' },
    reason: 'typo',
    change: { before: { title: 'Ema' }, after: { title: 'Emma' } },
    data: { shelf: 3 },
    context: { requestId: 'r1', session: 's1', method: 'POST', path: '/books/12', address: '192.0.2.7' },
    ...fields,
  };
}

function request(method: string, status?: number): AuditEntry {
  const { target: _, reason: _r, change: _c, data: _d, ...rest } = entry();
  const context = {
    ...rest.context,
    method,
    agent: 'curl/8',
    trace: '4bf92f3577b34da6a3ce929d0e0e4736',
    durationMs: 12,
  };
  return {
    ...rest,
    kind: 'request',
    action: status === undefined ? 'request.aborted' : 'request.completed',
    outcome: status === undefined ? 'aborted' : 'success',
    context: status === undefined ? context : { ...context, status },
  };
}

const hostile = entry({
  actor: { kind: 'user', id: FORGED, tenant: FORGED, by: FORGED },
  target: { type: 'book', id: FORGED },
  reason: FORGED,
  change: { before: { [FORGED]: FORGED }, after: FORGED },
  data: { [FORGED]: [FORGED] },
  context: { requestId: FORGED, method: FORGED, path: FORGED, route: FORGED, address: FORGED, agent: FORGED },
});

const bare = entry({ actor: { kind: 'anonymous' }, context: {} });

function everyEntry(): AuditEntry[] {
  const { target: _, change: _c, data: _d, ...untargeted } = bare;
  const actions = [
    ...vocabularyEvents,
    'book.created',
    'book.read',
    'book.deleted',
    'loan.prolonged',
    'a.b.c',
  ];
  return [
    ...actions.flatMap((action) =>
      OUTCOMES.flatMap((outcome) => [
        entry({ action, outcome }),
        { ...untargeted, action, outcome },
        { ...hostile, action, outcome },
        entry({ action, outcome, actor: { kind: 'system' }, data: { role: 'staff' } }),
      ]),
    ),
    ...['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT', 'TRACE', 'PROPFIND'].flatMap(
      (method) => [request(method, 200), request(method, 503), request(method)],
    ),
    entry({ context: { ...entry().context, address: '2001:db8::1' } }),
    // Personal values that stand as commitments.
    entry({ context: { address: { $c: 'AAAA' } as never, agent: { $c: 'BBBB' } as never } }),
  ];
}

describe('ASVS V16.2.4: the log can be read by others: OCSF', () => {
  const folder = vectorsDirectory(
    'ocsf',
    'account_change.schema.json',
    'application_lifecycle.schema.json',
    'authentication.schema.json',
    'entity_management.schema.json',
    'http_activity.schema.json',
    'user_access.schema.json',
  );
  (folder ? test : test.skip)('every exported event validates against the class it names', () => {
    const ajv = new Ajv2020({ strict: false });
    const classes = new Map<unknown, ValidateFunction>();
    // Six of the fifteen; to compile a class takes a second.
    for (const name of ['authentication', 'account_change', 'user_access', 'entity_management'])
      addClass(name);
    for (const name of ['http_activity', 'application_lifecycle']) addClass(name);
    function addClass(name: string): void {
      const text = readFileSync(join(folder!, `${name}.schema.json`), 'utf8');
      const schema = JSON.parse(text) as Record<string, unknown>;
      classes.set(schema['x-class_uid'], ajv.compile(schema));
    }
    const format = entryFormatter({ format: 'ocsf', app: 'library', host: 'web-1' });
    const seen = new Set<unknown>();
    for (const one of everyEntry()) {
      const event = JSON.parse(format(one)) as { class_uid: number };
      const validate = classes.get(event.class_uid)!;
      seen.add(event.class_uid);
      expect({ action: one.action, errors: validate(event) ? null : validate.errors }).toEqual({
        action: one.action,
        errors: null,
      });
    }
    expect([...seen].toSorted((a, b) => Number(a) - Number(b))).toEqual([3001, 3002, 3004, 3005, 4002, 6002]);
    // The schemas do judge: an event with an attribute of no class, or without its time, is refused.
    const event = JSON.parse(format(entry())) as Record<string, unknown>;
    expect(classes.get(3004)!({ ...event, forged: 1 })).toBe(false);
    expect(classes.get(3004)!({ ...event, time: undefined })).toBe(false);
  });

  test('says who, to what, how it ended, and keeps what it has no word for under unmapped', () => {
    const event = JSON.parse(entryFormatter({ format: 'ocsf' })(entry())) as object;
    expect(event).toMatchObject({
      class_uid: 3004,
      activity_id: 3,
      type_uid: 300403,
      status_id: 1,
      time: Date.parse('2026-11-22T10:11:12.345Z'),
      actor: { user: { uid: 'ann' }, session: { uid: 's1' } },
      entity: { name: 'book', uid: '12', data: { title: 'Ema' } },
      entity_result: { data: { title: 'Emma' } },
      src_endpoint: { ip: '192.0.2.7' },
      metadata: { labels: ['owasp:sensitive_update:ann,12'], correlation_uid: 'r1' },
      unmapped: { data: { shelf: 3 } },
    });
  });
});

describe('the OWASP Logging Vocabulary', () => {
  test('has a row for every event of these packages, and no row for an event that is gone', () => {
    const declared = readdirSync(packages).flatMap((name) => declaredEvents(join(packages, name, 'src')));
    expect(declared.length).toBeGreaterThan(40);
    // A missing one: add it to packages/audit/src/exports/vocabulary.ts.
    expect(declared.filter((name) => !vocabularyEvents.includes(name))).toEqual([]);
    const owners = new Set(declared.map((name) => name.split('.')[0]));
    const ours = vocabularyEvents.filter(
      (name) => owners.has(name.split('.')[0]) && !name.startsWith('audit.writer-'),
    );
    expect(ours.filter((name) => !declared.includes(name))).toEqual([]);
  });

  const folder = vectorsDirectory('owasp', 'logging-vocabulary.json');
  (folder ? test : test.skip)('uses only names that the vocabulary has', () => {
    const names = JSON.parse(readFileSync(join(folder!, 'logging-vocabulary.json'), 'utf8')) as string[];
    const used = [...vocabularyEvents, 'x.created', 'x.read', 'x.updated', 'x.deleted'].flatMap(
      (name) => vocabularyOf(name).owasp ?? [],
    );
    expect(used.length).toBeGreaterThan(30);
    expect(used.filter((name) => !names.includes(name))).toEqual([]);
  });

  test('is applied on export, to own actions through aliases', () => {
    const signedIn = entry({ action: 'person.signed-in', target: { type: 'person', id: 'ann' } });
    const plain = JSON.parse(entryFormatter({ format: 'ecs' })(signedIn)) as {
      portcullis: { owasp?: string };
    };
    expect(plain.portcullis.owasp).toBeUndefined();
    const aliases = { 'person.signed-in': 'auth.signed-in' };
    for (const format of FORMATS.filter((name) => name !== 'ndjson')) {
      expect(entryFormatter({ format, aliases })(signedIn)).toContain('authn_login_success:ann');
    }
    expect(() => entryFormatter({ format: 'ecs', aliases: { a: 'auth.signed-im' } })).toThrow(
      expect.objectContaining({ code: 'E_OPTION_VALUE' }),
    );
    expect(() => entryFormatter({ format: 'xml' as never })).toThrow(
      expect.objectContaining({ code: 'E_OPTION_VALUE' }),
    );
  });
});

describe.each(FORMATS)('ASVS V16.4.1: %s', (format) => {
  test('ASVS V16.4.1: control and bidirectional characters cannot forge a line', () => {
    const write = entryFormatter({ format, app: 'lib rary', host: 'web\n1' });
    for (const one of everyEntry()) {
      const line = write(one);
      // syslog marks its message as UTF-8 with one byte order mark (RFC 5424 section 6.4).
      const shown = format === 'syslog' ? line.replace(' \ufeff', ' ') : line;
      expect(shown).not.toMatch(UNPRINTABLE);
    }
  });

  test('what was typed comes back from the fields it belongs to', () => {
    const line = entryFormatter({ format })(hostile);
    const shown = String.raw`x\u000d\u000a<104>1`;
    if (format === 'syslog') {
      const { header, parameters } = readSyslog(line);
      expect(header).toEqual(['<109>1', hostile.time, '-', 'portcullis', '-', 'book.updated']);
      expect(parameters.get('actor')).toContain(shown);
      expect(parameters.get('actor')).toMatch(/ "\]\\\| a=b$/);
      expect(parameters.get('outcome')).toBe('success');
      expect(parameters.has('forged')).toBe(false);
    } else if (format === 'cef') {
      const { header, extension } = readCef(line);
      expect(header.slice(0, 5)).toEqual(['CEF:0', 'Portcullis', 'portcullis', '1', 'book.updated']);
      expect(extension.get('suid')).toContain(shown);
      expect(extension.get('outcome')).toBe('success');
      expect(extension.has('b')).toBe(false);
    } else {
      const found = JSON.stringify(JSON.parse(line));
      // In JSON the escapes are the format's own, and what was typed is there unchanged.
      expect(found).toContain(JSON.stringify(FORGED).slice(1, -1));
    }
  });
});

describe('ECS', () => {
  test('uses the allowed values of its categorisation fields', () => {
    const categories = ['authentication', 'iam', 'web', 'database', 'process'];
    const types = ['creation', 'access', 'change', 'deletion', 'info', 'denied', 'error'];
    for (const one of everyEntry()) {
      const { event } = JSON.parse(entryFormatter({ format: 'ecs' })(one)) as {
        event: { category: string[]; type: string[]; outcome: string };
      };
      expect(categories).toContain(event.category[0]);
      expect(types).toContain(event.type[0]);
      expect(['success', 'failure', 'unknown']).toContain(event.outcome);
    }
  });

  test('says method, status, path, address and duration of a request', () => {
    expect(JSON.parse(entryFormatter({ format: 'ecs', host: 'web-1' })(request('GET', 200)))).toMatchObject({
      '@timestamp': '2026-11-22T10:11:12.345Z',
      event: { category: ['web'], outcome: 'success', duration: 12_000_000 },
      http: { request: { method: 'GET', id: 'r1' }, response: { status_code: 200 } },
      url: { path: '/books/12' },
      source: { ip: '192.0.2.7' },
      user: { id: 'ann' },
      user_agent: { original: 'curl/8' },
      host: { name: 'web-1' },
    });
  });
});

describe('an export of the log', () => {
  test('has one event for every entry, and none for signatures', async () => {
    const audit = createAudit({ store: memoryAudit() });
    await audit.record({ action: 'book.created', outcome: 'success', data: { title: FORGED } });
    const raw: string[] = [];
    for await (const line of audit.export()) raw.push(line);
    for (const format of FORMATS) {
      const lines: string[] = [];
      for await (const line of audit.export({ format })) lines.push(line);
      // The writer's own first entry, and the book.
      expect(lines).toHaveLength(2);
      expect(raw.length).toBeGreaterThan(2);
      const again: string[] = [];
      for await (const line of exportAs(raw, { format })) again.push(line);
      expect(again).toEqual(lines);
    }
    await audit.close();
  });

  test('leaves out personal values that stand as commitments', () => {
    const committed = entry({ context: { address: { $c: 'AAAA' } as never } });
    for (const format of FORMATS.filter((name) => name !== 'ndjson')) {
      expect(entryFormatter({ format })(committed)).not.toContain('AAAA');
    }
  });
});

/** Keys of `interface SecurityEvents`, as the sources declare them. */
function declaredEvents(folder: string): string[] {
  let files: string[];
  try {
    files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  } catch {
    return [];
  }
  return files.flatMap((file) => {
    const text = readFileSync(join(folder, file), 'utf8');
    const from = text.indexOf('interface SecurityEvents {');
    if (from === -1 || !text.slice(0, from).includes("declare module '@portcullis/core'")) return [];
    const block = text.slice(from, text.indexOf('\n  }', from));
    return [...block.matchAll(/^ {4}'([a-z-]+\.[a-z-]+)':/gm)].map(([, name]) => name!);
  });
}

/** A reader after RFC 5424 section 6, which knows nothing of the writer. */
function readSyslog(line: string): { header: string[]; parameters: Map<string, string> } {
  const [, head, data] =
    /^((?:[!-~]+ ){6})\[audit@32473((?: [!-~]+?="(?:[^"\\\]]|\\["\\\]])*")*)\] \ufeff.*$/u.exec(line)!;
  const parameters = [...data!.matchAll(/ ([!-~]+?)="((?:[^"\\\]]|\\["\\\]])*)"/g)].map(
    ([, name, value]): [string, string] => [name!, value!.replace(/\\(["\\\]])/g, '$1')],
  );
  return { header: head!.trim().split(' '), parameters: new Map(parameters) };
}

/** A reader after the CEF guide: seven pipes that are not escaped, then keys before equal signs that are not escaped. */
function readCef(line: string): { header: string[]; extension: Map<string, string> } {
  const fields = line.match(/(?:[^|\\]|\\[|\\])*\|/g)!.slice(0, 7);
  const rest = line.slice(fields.join('').length);
  const keys = [...rest.matchAll(/(?:^| )([A-Za-z0-9]+)=/g)];
  const extension = keys.map(([whole, key], i): [string, string] => {
    const from = keys[i]!.index + whole.length;
    return [key!, rest.slice(from, keys[i + 1]?.index).replace(/\\([\\=])/g, '$1')];
  });
  return { header: fields.map((field) => field.slice(0, -1)), extension: new Map(extension) };
}
