import type { Browser, Page } from 'playwright-core';

export interface Sighting {
  /** Code that ran. */
  readonly ran: readonly string[];
  /** Anything that is not in the lists of rich text, as the browser itself has parsed it. */
  readonly foreign: readonly string[];
  /** Addresses that were asked for, beside the page. */
  readonly asked: readonly string[];
}

const ORIGIN = 'http://library.example';
/** As a page of the server, and as innerHTML of what innerHTML made of it, the way of mutations. */
export const WAYS = ['page', 'innerHTML'] as const;

/** Shows markup in a real browser, touches everything in it, and tells what came of it. */
export class Chromium {
  #html = '';
  #way: (typeof WAYS)[number] = 'page';
  #asked: string[] = [];

  private constructor(
    private readonly page: Page,
    private readonly allowed: Readonly<Record<'elements' | 'protocols', readonly string[]>>,
  ) {}

  static async open(browser: Browser, allowed: Chromium['allowed']): Promise<Chromium> {
    const page = await browser.newPage();
    const it = new Chromium(page, allowed);
    page.on('dialog', (dialog) => void dialog.dismiss());
    await page.route('**/*', async (route) => {
      const request = route.request();
      if (request.url() === `${ORIGIN}/shown` && request.isNavigationRequest())
        return route.fulfill({
          contentType: 'text/html; charset=utf-8',
          headers: { 'content-security-policy-report-only': "script-src 'nonce-watch'" },
          body: it.#document(),
        });
      it.#asked.push(request.url());
      return route.abort();
    });
    return it;
  }

  async show(html: string, way: (typeof WAYS)[number]): Promise<Sighting> {
    this.#html = html;
    this.#way = way;
    this.#asked = [];
    await this.page.goto(`${ORIGIN}/shown`, { waitUntil: 'load', timeout: 3000 });
    const { ran, foreign } = await this.page.evaluate(touch, { given: html, way, ...this.allowed });
    return { ran, foreign, asked: this.#asked };
  }

  /** What attacks call is watched; so is, by a policy that only reports, whatever else would run, load or lead away. */
  #document(): string {
    const watch = `window.ran = [];
for (const name of ['alert', 'confirm', 'prompt', 'print', 'open']) window[name] = () => { ran.push(name); return null; };
document.write = document.writeln = () => ran.push('write');
addEventListener('securitypolicyviolation', ({ effectiveDirective }) => {
  if (effectiveDirective.startsWith('script-src')) ran.push(effectiveDirective);
});`;
    const shown = this.#way === 'page' ? this.#html : '';
    return `<!doctype html><title>shown</title><script nonce="watch">${watch}</script><main>${shown}</main>`;
  }
}

interface Touched {
  readonly given: string;
  readonly way: string;
  readonly elements: readonly string[];
  readonly protocols: readonly string[];
}

/** Runs in the page; no function in it has a name, as the loader's helper for those is not there. */
async function touch({
  given,
  way,
  elements,
  protocols,
}: Touched): Promise<{ readonly ran: readonly string[]; readonly foreign: readonly string[] }> {
  const main = document.querySelector('main')!;
  if (way === 'innerHTML') {
    main.innerHTML = given;
    await new Promise((resolve) => setTimeout(resolve));
    main.innerHTML = String(main.innerHTML);
  }
  const foreign: string[] = [];
  // Links that lead elsewhere are not followed; those that run code do.
  document.addEventListener('click', (event) => {
    const link = (event.target as Element).closest('a');
    if (!/^\s*javascript:/i.test(String(link?.href))) event.preventDefault();
  });
  for (const element of document.querySelectorAll<HTMLElement>('body *')) {
    if (element === main) continue;
    if (!elements.includes(element.localName)) foreign.push(`<${element.localName}>`);
    for (const { name, value } of element.attributes) {
      const link = element.localName === 'a' && (name === 'href' || name === 'rel');
      if (!link) foreign.push(`${name}="${value}"`);
      else if (name === 'href' && !protocols.includes((element as HTMLAnchorElement).protocol))
        foreign.push(value);
    }
    element.dispatchEvent(new MouseEvent('mouseover', { bubbles: true }));
    element.focus?.();
    element.click?.();
  }
  await new Promise((resolve) => setTimeout(resolve, 30));
  return { ran: [...((window as unknown as { ran: string[] }).ran ?? [])], foreign };
}
