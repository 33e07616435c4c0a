import type { Mutant } from './mutant.js';

const src = (name: string): string => `packages/redact/src/${name}.ts`;
const test = (name: string, title: string): Mutant['killedBy'] => [
  `packages/redact/test/${name}.test.ts`,
  title,
];
const hostile = (claim: string): Mutant['killedBy'] => test('redact', claim);
const left = (claim: string): Mutant['killedBy'] => test('cases', `no secret is left of: ${claim}`);
const listed = (claim: string): Mutant['killedBy'] =>
  test('cases', `no secret is left of a list of arguments: ${claim}`);
const stays = (claim: string): Mutant['killedBy'] => test('cases', `stays as it is${claim}`);

interface Removed {
  readonly file: string;
  readonly from: string;
  readonly to?: string;
}
/** A rule that is not there. */
const without = (what: string, { file, from, to = '' }: Removed, killedBy: Mutant['killedBy']): Mutant => ({
  what,
  file: src(file),
  from,
  to,
  killedBy,
});

export const mutants: readonly Mutant[] = [
  // What is looked for in texts
  without(
    'pairs are not looked for',
    { file: 'text/scan', from: 'if (pairs) findPairs(text, classify, found);' },
    hostile('a query string (pitfall 9)'),
  ),
  without(
    'passwords in URLs are not looked for',
    { file: 'text/scan', from: 'findUserInfo(text, found);' },
    hostile('userinfo of a DSN (pitfall 9)'),
  ),
  without(
    'data sources that are no URLs are not looked at',
    { file: 'text/scan', from: 'findDataSources(text, found);' },
    left('MySQL of Go'),
  ),
  without(
    'command lines are not read',
    { file: 'text/scan', from: 'findCommandSecrets(text, classify, found);' },
    left('mysql -u root'),
  ),
  without(
    'private keys are not looked for',
    { file: 'text/scan', from: 'if (pem && (bits & DASHES) !== 0) findPem(text, found);' },
    hostile('a PEM private key'),
  ),
  without(
    'quotes behind a name are not looked at',
    { file: 'text/scan', from: 'findQuoted(text, classify, found);' },
    left('a sentence with is'),
  ),
  without(
    'an INSERT is not read',
    { file: 'text/scan', from: 'findInserted(text, classify, found);' },
    left('pg: an INSERT with its values'),
  ),
  without(
    'Bearer and Basic are not looked for',
    { file: 'text/scan', from: 'if (schemes && (bits & SCHEMES) !== 0) collectSchemes(text, found);' },
    hostile('Bearer tokens'),
  ),
  without(
    'tokens are not looked for',
    { file: 'text/scan', from: 'if (tokens) findTokens(text, found);' },
    hostile('a JWT anywhere'),
  ),
  without(
    'keys of vendors are not looked for',
    { file: 'text/tokens', from: 'wanted.vendor ? vendorEndAt(text, i, marks) : -1', to: '-1' },
    hostile('a vendor key is found by its published format: GitHub'),
  ),
  without(
    'tokens in links are not looked for',
    { file: 'text/scan', from: 'if (url) findLinkTokens(text, classify, found);' },
    left('a magic link'),
  ),
  without(
    'AUTH of SMTP is not looked for',
    { file: 'text/scan', from: 'if (basic) findSasl(text, found);' },
    left('SMTP: AUTH PLAIN'),
  ),
  without(
    'hashes are not looked for',
    { file: 'text/scan', from: 'if (vendor && (bits & DOLLAR) !== 0) findHashes(text, found);' },
    left('hashes without a name'),
  ),
  without(
    'cards are not looked for',
    { file: 'text/scan', from: 'if (card && (bits & DIGITS) !== 0) findCards(text, found);' },
    hostile('a card number with a valid check digit is masked: 4111111111111111'),
  ),
  without(
    'a card ends with the digits behind it',
    { file: 'text/cards', from: 'if (isCardNumber(digits)) card = at;' },
    left('a card with blanks and its date'),
  ),
  without(
    'the check digit is not checked',
    { file: 'text/cards', from: ' && luhn(digits)' },
    stays(': numbers that are no cards'),
  ),
  without(
    'JSON in a string is a text like others',
    {
      file: 'clean-text',
      from: 'const clean = jsonText(value, run, depth);',
      to: 'const clean = undefined;',
    },
    left('JSON in a string: the value before its name'),
  ),
  without(
    'what escapes hide is not looked at',
    { file: 'clean-text', from: '(unescaped(clean, run) ?? clean)', to: 'clean' },
    hostile('double percent escapes'),
  ),
  without(
    'entities of HTML are not decoded',
    {
      file: 'text/decode',
      from: "if (escape[1] !== '#') return ENTITIES.get(escape)!;",
      to: "if (escape[1] !== '#') return escape;",
    },
    left('JSON in HTML'),
  ),
  without(
    'escapes of nginx are not decoded',
    {
      file: 'text/decode',
      from: "if (escape[0] === '\\\\') return String.fromCharCode(Number.parseInt(escape.slice(2), 16));",
      to: "if (escape[0] === '\\\\') return escape;",
    },
    left('JSON of nginx'),
  ),
  without(
    'a header ends at the first blank',
    { file: 'text/pairs', from: 'if (rule.header && colon) return', to: 'if (false) return' },
    left('Digest'),
  ),
  without(
    'elements are not looked at',
    {
      file: 'text/pairs',
      from: 'const held = elementSecret(text, i, classify);',
      to: 'const held = undefined;',
    },
    left('XML with attributes'),
  ),
  without(
    'labels in a text are not heeded',
    { file: 'text/pairs', from: 'const end = findLabelled(text, i, classify, found);', to: 'const end = i;' },
    hostile('HTML inputs'),
  ),
  without(
    'labels of YAML are not heeded',
    {
      file: 'text/pairs',
      from: 'return findLabelledLine(text, separator, start, classify, found);',
      to: 'return separator;',
    },
    left('Kubernetes: env in YAML'),
  ),
  without(
    'codes in a query are not looked at',
    { file: 'text/pairs', from: ' ?? inQuery(name, text, code)' },
    left('OAuth: the code in a redirect'),
  ),
  without(
    'any code in a query is a secret',
    {
      file: 'text/pairs',
      from: 'if (rule === QUERY_ONLY && !looksRandom(text.slice(value.start, value.end))) continue;',
    },
    stays(': https://h/books?code=EUR'),
  ),
  without(
    'the name of a secret is one',
    { file: 'text/pairs', from: ' || isResourceName(text, name, code)' },
    stays(': arn:aws:secretsmanager'),
  ),
  without(
    'placeholders of a statement are secrets',
    { file: 'text/pairs', from: 'if (PLACEHOLDER.test(text)) return undefined;' },
    stays(': UPDATE users SET password_hash'),
  ),
  without(
    'null in JSON is a secret',
    {
      file: 'text/pairs',
      from: 'const literal = name.quoted ? jsonLiteral(text, start) : undefined;',
      to: 'const literal = undefined;',
    },
    stays(': {"password":null'),
  ),
  without(
    'a lone user of a data source is a secret',
    { file: 'text/urls', from: ' && isSecret' },
    stays(': postgres://app@db/books'),
  ),
  without(
    'the name of a parameter is masked for its value',
    {
      file: 'text/markup',
      from: 'strong(classify(local)) ?? byAttribute(tag, local, classify)',
      to: 'strong(classify(local))',
    },
    left('Android strings'),
  ),
  // Command lines and lists of arguments
  without(
    'arguments in a list are not read',
    { file: 'walk', from: 'const masked = argument(value, command, run);', to: 'const masked = undefined;' },
    listed('docker login'),
  ),
  without(
    'the program beside its arguments is not looked for',
    { file: 'walk', from: 'run.program = programBeside(source, key);', to: '{}' },
    listed('an error of child_process'),
  ),
  without(
    'arguments of a known program are names with values',
    { file: 'walk', from: ' && command?.isKnown !== true' },
    stays(', in one text and as a list: kubectl get secret db'),
  ),
  without(
    'what people say about an option is its value',
    { file: 'text/commands', from: 'PROSE.test(word) || ' },
    stays(': use --password to set it'),
  ),
  without(
    '-p is a password whatever is done with docker',
    { file: 'text/commands', from: 'if (letters === undefined || !open)', to: 'if (letters === undefined)' },
    stays(', in one text and as a list: docker run -p 8080:80 nginx'),
  ),
  without(
    'a value behind an option is not awaited',
    {
      file: 'text/commands',
      from: "if (how !== 'glued') expected = { kind: 'secret', name: undefined, skip: 0 };",
    },
    left('sshpass -p'),
  ),
  without(
    'users of curl are not read',
    {
      file: 'text/programs',
      from: "['curl', { users: { letters: ['u', 'U'], between: ':' } }]",
      to: "['curl', {}]",
    },
    left('curl -uuser:'),
  ),
  without(
    'a user and a group are a user and a password',
    { file: 'text/commands', from: ' || /^\\d{1,6}:\\d{1,6}$/.test(word.slice(from))' },
    stays(', in one text and as a list: docker run -u 1000:1000'),
  ),
  without(
    'a command never ends',
    { file: 'text/commands', from: '      program = undefined;\n      expected = undefined;\n' },
    hostile('an option of one letter is no password for every program: mysqldump shop | ssh'),
  ),
  // Objects
  without(
    'names are not folded',
    { file: 'name-rules', from: 'foldName(name).match(', to: 'name.match(' },
    hostile('Cyrillic look-alikes (pitfall 16)'),
  ),
  without(
    'labels beside a value are not heeded',
    { file: 'walk', from: 'if (held) labelled(', to: 'if (false) labelled(' },
    hostile('name and value objects (pitfall 10)'),
  ),
  without('a path is no label', { file: 'name-facts', from: "['path', 'id']," }, left('JSON Patch')),
  without(
    'a path in parts is no label',
    { file: 'labels', from: 'Array.isArray(label) ? label.at(-1) : label', to: 'label' },
    left('Zod: an issue'),
  ),
  without(
    'parts of a key are not known',
    { file: 'companions', from: 'if (PRIVATE_PARTS.has(name)) found', to: 'if (false) found' },
    left('JWK: RSA'),
  ),
  without(
    'a code beside a state is none',
    { file: 'companions', from: "typeof code === 'string' && looksRandom(code)", to: 'false' },
    left('OAuth: req.query of a redirect'),
  ),
  without(
    'bound values are not looked at',
    { file: 'companions', from: 'at.length === 0 ? []', to: 'at.length >= 0 ? []' },
    left('knex: an INSERT with its bindings'),
  ),
  without(
    'flat headers are a list of texts',
    { file: 'walk', from: 'if (rule && !rule.weak) {', to: 'if (false) {' },
    left('rawHeaders of a request'),
  ),
  without(
    'a list under auth is not masked',
    {
      file: 'walk',
      from: "typeof value === 'object' && !Array.isArray(value)",
      to: "typeof value === 'object'",
    },
    left('supertest: auth as a list'),
  ),
  // Elsewhere in the event
  without(
    'a secret is masked where it was found only',
    { file: 'redactor', from: "for (const secret of state.taints) secrets.add(secret, 'taint');" },
    hostile('the same secret elsewhere (pitfall 20)'),
  ),
  without(
    'secrets of the process are not known',
    { file: 'redactor', from: "for (const secret of known) knownSecrets.add(secret.reveal(), 'known');" },
    hostile('known secrets are masked wherever they are'),
  ),
  without(
    'escapes hide a secret from the search',
    {
      file: 'secret-index',
      from: 'secrets.length > FEW || hidesSpellings(json)',
      to: 'secrets.length > FEW',
    },
    hostile('a secret with quotes, quoted in a text that is JSON itself'),
  ),
  without(
    'names are not searched for secrets',
    { file: 'sweep', from: 'if (key.length >= shortest && secrets.find(key).length > 0) renamed = true;' },
    hostile('the same secret elsewhere (pitfall 20)'),
  ),
  // Total
  without(
    'bidirectional controls of a text leave raw',
    { file: 'clean-text', from: 'if ((bits & UNSAFE) !== 0) run.unsafe = true;' },
    hostile('a text alone, and a name alone, with such characters'),
  ),
  without(
    'bidirectional controls of a name leave raw',
    { file: 'walk', from: 'if (facts.unsafe) run.unsafe = true;' },
    hostile('a text alone, and a name alone, with such characters'),
  ),
  without(
    '__proto__ is assigned',
    { file: 'own-property', from: "if (name === '__proto__') {", to: 'if (false) {' },
    hostile('__proto__ as own name neither pollutes nor disappears'),
  ),
  without(
    'no depth is too deep',
    { file: 'walk', from: "if (depth >= limits.depth) return cut(run, 'depth');" },
    hostile('a depth of 100,000 is cut and said so'),
  ),
  without(
    'a long text is cut inside a word',
    { file: 'clean-text', from: 'while (end > 0 && isInsideWord(value.charCodeAt(end - 1))) end--;' },
    hostile('a secret on the edge of the cut does not survive in half'),
  ),
  without(
    'a hostile accessor ends the event',
    { file: 'walk', from: '    } catch {\n      return UNREADABLE;\n    } finally {', to: '    } finally {' },
    hostile('objects that fight back'),
  ),
  // Loggers
  without(
    'winston gets the splat as it was',
    {
      file: 'winston',
      from: 'result[SPLAT] = Array.isArray(all.splat) ? all.splat : [all.splat];',
      to: 'result[SPLAT] = splat;',
    },
    test('winston', 'a secret in message, meta, splat or error reaches no transport: format first'),
  ),
  without(
    'winston lets a message forge a line',
    { file: 'winston', from: 'escape ? escapeAll(redact(value)) : redact(value)', to: 'redact(value)' },
    test('winston', 'a message with CR and LF is one line in the simple format'),
  ),
  without(
    'pino writes the line as it is',
    { file: 'pino', from: 'escapeControls(cleanLine(line))', to: 'line.trimEnd()' },
    test('pino', 'child bindings and mixins are cleaned'),
  ),
  without(
    'pino gets the call as it was',
    { file: 'pino', from: 'apply(this, cleanCall(args))', to: 'apply(this, args)' },
    test('pino', 'accessors that throw (pitfall 15)'),
  ),
];
