import { check, HOST, type Check } from '../check.js';

const SMUGGLED = `GET /api/hello HTTP/1.1\r\nhost: ${HOST}\r\n\r\n`;
const TYPE = 'content-type: application/json';

/**
 * The first request is refused or cut, and what stands in its body is no second one. What Node's parser refuses even when it is
 * told to be lenient is left to prove:malformed.
 */
const WIRES: readonly (readonly [id: string, sends: string, lines: readonly string[], body: string])[] = [
  [
    'length-and-chunked',
    'Content-Length beside Transfer-Encoding',
    ['content-length: 5', 'transfer-encoding: chunked'],
    `0\r\n\r\n${SMUGGLED}`,
  ],
  [
    'space-before-colon',
    'a space before the colon of Transfer-Encoding',
    ['transfer-encoding : chunked', 'content-length: 5'],
    `0\r\n\r\n${SMUGGLED}`,
  ],
  [
    'folded-coding',
    'Transfer-Encoding folded over two lines',
    ['transfer-encoding:\r\n chunked', 'content-length: 5'],
    `0\r\n\r\n${SMUGGLED}`,
  ],
];

export const malformed: readonly Check[] = WIRES.map(([id, sends, lines, body]) =>
  check(
    'malformed HTTP',
    id,
    `POST /api/items with ${sends}`,
    'refused or cut; one answer at most',
    async (client) => {
      const legitimate = await client.serving.legitimate();
      const head = [
        'POST /api/items HTTP/1.1',
        `host: ${HOST}`,
        `x-forwarded-for: ${client.address}`,
        'x-forwarded-proto: https',
        `x-check: ${client.id}`,
        ...Object.entries(legitimate).map(([name, value]) => `${name}: ${value}`),
        TYPE,
        ...lines,
      ].join('\r\n');
      const { answers } = await client.exchange(`${head}\r\n\r\n${body}`, { waitMs: 1500 });
      const reached = await client.reached();
      return answers.length <= 1 && answers.every(({ status }) => status >= 400) && reached.length === 0;
    },
    'lenient parser',
  ),
);
