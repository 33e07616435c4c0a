import { check, type Check } from '../check.js';

const ITEM = '{"name":"Kettle","price":12.5}';

/** What every stack must do for honest clients: who refuses everything does not win. */
export const controls: readonly Check[] = [
  check('errors', 'control-hello', 'GET /api/hello', '200 and the greeting', async (client) => {
    const answer = await client.get('/api/hello');
    return answer.status === 200 && JSON.stringify(answer.json()) === '{"hello":"world"}';
  }),
  check('errors', 'control-page', 'GET /', '200 and a page', async (client) => {
    const answer = await client.get('/', { accept: 'text/html' });
    return (
      answer.status === 200 &&
      answer.header('content-type').startsWith('text/html') &&
      answer.body.includes('Welcome')
    );
  }),
  check('bodies', 'control-create', 'POST an item from the own page', '201', async (client) => {
    const answer = await client.json(ITEM);
    return answer.status === 201 && JSON.stringify(answer.json()) === `{"item":${ITEM}}`;
  }),
  check('bodies', 'control-create-full', 'POST an item with quantity and tags', '201', async (client) => {
    const answer = await client.json('{"name":"Kettle","price":12.5,"quantity":3,"tags":["red","tin"]}');
    return answer.status === 201;
  }),
  check(
    'bodies',
    'control-utf8',
    'POST an item with an umlaut and an emoji, charset=utf-8',
    '201, unchanged',
    async (client) => {
      const answer = await client.json('{"name":"K\u00e4nnchen \u{1f375}","price":1}', {
        headers: { 'content-type': 'application/json; charset=utf-8' },
      });
      return answer.status === 201 && answer.body.includes('K\u00e4nnchen \u{1f375}');
    },
  ),
  check('bodies', 'control-form', 'POST a form', '201', async (client) => {
    const answer = await client.change({
      path: '/form',
      body: 'name=Kettle&price=12.5',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    return answer.status === 201 && answer.body.includes('12.5');
  }),
  check('validation', 'control-settings', 'POST settings', '200, merged', async (client) => {
    const answer = await client.json('{"theme":"dark","notify":{"mail":false}}', { path: '/api/settings' });
    return answer.status === 200 && answer.body.includes('"dark"') && answer.body.includes('false');
  }),
  check(
    'query and paths',
    'control-search',
    'GET /api/search?q=O%27Brien&page=2',
    '200 with text and number',
    async (client) => {
      const answer = await client.get('/api/search?q=O%27Brien&page=2');
      return answer.status === 200 && /^\{"q":"O'Brien","page":"?2"?\}$/.test(answer.body);
    },
  ),
  check(
    'query and paths',
    'control-item',
    'GET /api/items/7',
    '200 with the number',
    async (client) => (await client.get('/api/items/7')).status === 200,
  ),
  check(
    'validation',
    'control-delete',
    'DELETE /api/items/7',
    '204',
    async (client) => (await client.change({ method: 'DELETE', path: '/api/items/7' })).status === 204,
  ),
  check(
    'cookies',
    'control-sign-in',
    'POST the right password',
    '200 and a session cookie',
    async (client) => {
      const answer = await client.json('{"email":"ann@shop.example","password":"correct horse battery"}', {
        path: '/api/sign-in',
      });
      return answer.status === 200 && answer.cookies.some((line) => /session=ann/.test(line));
    },
  ),
  check(
    'cookies',
    'control-account',
    'GET /api/account with the session',
    '200',
    async (client) => (await client.get('/api/account', { cookie: 'session=ann' })).status === 200,
  ),
  check(
    'cors',
    'control-cors',
    'GET from the allowed origin',
    'readable for it',
    async (client) => (await client.get('/api/hello', { origin: 'https://app.example.com' })).status === 200,
  ),
  check(
    'caching',
    'control-304',
    'GET /api/price with its ETag',
    '304',
    async (client) => (await client.get('/api/price', { 'if-none-match': '"one"' })).status === 304,
  ),
  check(
    'hosts and addresses',
    'control-file',
    'GET /files/app.js',
    '200',
    async (client) => (await client.get('/files/app.js')).status === 200,
  ),
  check(
    'malformed HTTP',
    'control-pipeline',
    'two requests on one connection',
    'two answers',
    async (client) => {
      const first = client.text({ headers: { connection: 'keep-alive' } });
      const { answers } = await client.exchange(Buffer.concat([first, client.text()]), { answers: 2 });
      return answers.length === 2 && answers.every(({ status }) => status === 200);
    },
  ),
  check('malformed HTTP', 'control-chunked', 'POST an item in chunks', '201', async (client) => {
    const answer = await client.change({
      headers: {
        'content-type': 'application/json',
        'transfer-encoding': 'chunked',
        'content-length': undefined,
      },
      body: `${ITEM.length.toString(16)}\r\n${ITEM}\r\n0\r\n\r\n`,
    });
    return answer.status === 201;
  }),
  check(
    'csrf',
    'control-link',
    'a cross-site navigation (GET /)',
    '200: links from elsewhere work',
    async (client) =>
      (
        await client.get('/', {
          'sec-fetch-site': 'cross-site',
          'sec-fetch-mode': 'navigate',
          'sec-fetch-dest': 'document',
          accept: 'text/html',
        })
      ).status === 200,
  ),
];
