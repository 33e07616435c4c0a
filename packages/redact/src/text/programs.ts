/** How a program takes a secret. */
export interface ProgramRule {
  /** Options of one letter: `-pSECRET` (glued), `-p SECRET` (apart) or both. Where only one is meant, the other is something else: `mysql -p shop` asks, and names a database. */
  readonly letters?: Readonly<Record<string, 'glued' | 'apart' | 'both'>>;
  /** Options whose value is `user:password`, and what stands between the two. */
  readonly users?: { readonly letters: readonly string[]; readonly between: string };
  /** The letters mean this only behind one of these words: `docker login -p`, but not `docker run -p`. */
  readonly behind?: RegExp;
  /** Words (and the program's own name) behind which so many are skipped, and the next is a secret. */
  readonly words?: Readonly<Record<string, number>>;
  /** All its arguments are secrets. */
  readonly all?: boolean;
  /** With `-b` among its options, its third word is a password. */
  readonly batch?: boolean;
  /** Its first word without a dash is `user/password@host`. */
  readonly logon?: boolean;
}

const login = { letters: { p: 'both' }, behind: /^login$/ } as const;
const redis = { auth: -1, requirepass: 0, masterauth: 0 } as const;

const RULES: readonly (readonly [names: string, rule: ProgramRule])[] = [
  [
    'mysql mysqldump mysqlimport mysqlshow mysqlcheck mysqlslap mysqlbinlog mysqlpump mysqlsh mariadb mycli',
    { letters: { p: 'glued' } },
  ],
  [
    'mariadb-dump mariadb-admin mariadb-import mariadb-show mariadb-check mariadb-slap mariadb-binlog mariadb-backup',
    { letters: { p: 'glued' } },
  ],
  ['mysqladmin', { letters: { p: 'glued' }, words: { password: 0 } }],
  ['7z 7za 7zr 7zz unrar', { letters: { p: 'glued' } }],
  ['rar', { letters: { p: 'glued', hp: 'glued' } }],
  ['sshpass cqlsh rabbitmqadmin', { letters: { p: 'both' } }],
  [
    'mongo mongosh mongodump mongorestore mongoexport mongoimport mongostat mongotop mongofiles',
    { letters: { p: 'both' } },
  ],
  ['docker podman nerdctl helm skopeo buildah oras crane az', login],
  ['redis-cli valkey-cli keydb-cli', { letters: { a: 'apart' }, words: redis }],
  ['sqlcmd bcp zip unzip mosquitto_pub mosquitto_sub mosquitto_rr', { letters: { P: 'both' } }],
  [
    'ldapsearch ldapadd ldapmodify ldapdelete ldapmodrdn ldapcompare ldapwhoami ldappasswd',
    { letters: { w: 'both' } },
  ],
  ['ssh-keygen', { letters: { N: 'apart', P: 'apart' } }],
  ['snmpget snmpwalk snmpset snmpbulkwalk', { letters: { A: 'apart', X: 'apart' } }],
  ['openssl', { letters: { k: 'apart', K: 'apart' }, behind: /^enc$/ }],
  ['curl', { users: { letters: ['u', 'U'], between: ':' } }],
  ['http https xh', { users: { letters: ['a'], between: ':' } }],
  ['lftp', { users: { letters: ['u'], between: ',' } }],
  ['smbclient rpcclient', { users: { letters: ['U'], between: '%' } }],
  ['vault', { words: { login: 0 } }],
  ['rabbitmqctl', { words: { add_user: 1, change_password: 1 } }],
  ['nmcli', { words: { password: 0 } }],
  ['wpa_passphrase', { words: { wpa_passphrase: 1 } }],
  ['sqlplus', { logon: true }],
  ['htpasswd', { batch: true }],
  // Known, so that what follows is no name with its value: `kubectl get secret db`.
  ['kubectl git npm', {}],
];

/** Commands of Redis, which clients report as lists. */
const REDIS: ProgramRule = { words: redis };

const BY_NAME: ReadonlyMap<string, ProgramRule> = new Map(
  RULES.flatMap(([names, rule]) => names.split(' ').map((name) => [name, rule] as const)),
);
const LONGEST = 32;
const NAME = /(?:^|[\\/\s"'`([{=])([a-z0-9_-]{1,24})(?:\.exe)?$/i;

/** What a program's name says, with or without its folder. */
export function programRule(word: string): ProgramRule | undefined {
  const name = NAME.exec(word.slice(-LONGEST))?.[1];
  return name === undefined ? undefined : BY_NAME.get(name.toLowerCase());
}

/** The same for the first word of a list, which may be a command of Redis: only there capitals tell it from a word. */
export function commandRule(word: string): ProgramRule | undefined {
  return /^(?:AUTH|HELLO|CONFIG|MIGRATE)$/.test(word) ? REDIS : programRule(word);
}

/** The same for the name of a command beside its arguments, `{ name: 'auth', args: [...] }`. */
export function namedRule(word: string): ProgramRule | undefined {
  return /^auth$/i.test(word) ? { all: true } : (commandRule(word.toUpperCase()) ?? programRule(word));
}
