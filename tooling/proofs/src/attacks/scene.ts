import express5 from 'express';
import express4 from 'express4';
import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { Attack } from './attack.js';
import { attackerSite } from './attacker.js';
import type { Front } from './front.js';
import { bareHouse, ownHouse } from './houses.js';
import { namesOf, type Names } from './names.js';
import { bank, newState, type State } from './victim.js';

export interface Stack {
  readonly name: string;
  readonly own: boolean;
  readonly major: 4 | 5;
}

export const STACKS: readonly Stack[] = [
  { name: 'bare Express 5', own: false, major: 5 },
  { name: 'bare Express 4', own: false, major: 4 },
  { name: 'Portcullis on Express 5', own: true, major: 5 },
  { name: 'Portcullis on Express 4', own: true, major: 4 },
];

/** For what has to happen sooner or later; it takes that long only on a machine that stands still. */
const DEADLINE = 45_000;

/** One attack against one stack: sites under names of their own, and a browser context of its own. */
export class Scene {
  readonly names: Names;
  readonly state: State = newState();
  readonly cookieName: string;
  /** What the attacker's server received. */
  readonly loot: string[] = [];
  /** What stood in the way, as it was observed. */
  readonly signals: string[] = [];
  /** Origins in which the attacker's code ran. */
  readonly ran: string[] = [];
  readonly #happened = new EventEmitter();
  readonly #open = new Set<unknown>();
  readonly #server = new EventEmitter();
  /** Whether it has succeeded or is seen to be stopped. */
  over: () => boolean = () => false;
  #context: BrowserContext | undefined;
  #page!: Page;

  constructor(front: Front, stack: Stack, run: number, attack?: Attack) {
    const names = (this.names = namesOf(run));
    const house = stack.own ? ownHouse(names, this.#server, (what) => this.#signal(what)) : bareHouse;
    this.cookieName = house.cookieName;
    const express = (stack.major === 5 ? express5 : express4) as unknown as typeof express5;
    const app = bank(express, house, names, this.state, attack);
    // Whoever gets through here is heard in the name of the session.
    this.#server.on('upgrade', ({ headers }: IncomingMessage, socket: Duplex) => {
      for (const [id, user] of this.state.sessions)
        if (headers.cookie?.includes(`${this.cookieName}=${id}`)) this.state.changes.push(`heard ${user}`);
      this.#happened.emit('any');
      socket.destroy();
    });
    front.serve(names.victim, {
      handle: (req, res) => {
        this.#open.add(res);
        res.on('close', () => {
          this.#open.delete(res);
          if (res.statusCode >= 400) this.#signal(`status ${res.statusCode}`);
          this.#happened.emit('any');
        });
        app(req, res);
      },
      upgrade: (req, socket, head) => this.#server.emit('upgrade', req, socket, head),
    });
    const strangers = attackerSite({
      names,
      pages: attack?.pages?.(names) ?? {},
      onLoot: (loot) => {
        this.loot.push(loot);
        this.#happened.emit('any');
      },
      onDone: (why) => this.#signal(`attacker: ${why}`),
    });
    for (const [name, origin] of Object.entries(names))
      if (name !== 'host' && name !== 'victim') front.serve(origin as string, strangers);
    // Who sits on the wire answers for names that the attack gives pages to; otherwise plain http is the victim's own.
    if (!attack?.pages) front.serve(names.wire, { handle: (req, res) => void app(req, res) });
  }

  async start(browser: Browser): Promise<void> {
    const context = await browser.newContext({ viewport: { width: 800, height: 600 } });
    this.#context = context;
    context.setDefaultTimeout(DEADLINE);
    await context.exposeBinding('reportRun', (_source, origin: string) => {
      this.ran.push(origin);
      this.#happened.emit('any');
    });
    await context.exposeBinding('reportViolation', (_source, origin: string, directive: string) => {
      if (origin === this.names.victim || origin === 'null') this.#signal(`csp: ${directive}`);
    });
    await context.addInitScript(() => {
      const scope = globalThis as unknown as Record<string, (...values: unknown[]) => void>;
      scope['pwned'] = () => scope['reportRun']!(self.origin);
      document.addEventListener('securitypolicyviolation', (event) => {
        if (event.disposition === 'enforce') scope['reportViolation']!(self.origin, event.effectiveDirective);
      });
    });
    context.on('console', (message) => this.#signal(`browser: ${message.text()}`));
    context.on('requestfailed', (request) => this.#signal(`failed: ${request.failure()?.errorText ?? ''}`));
    this.#page = await context.newPage();
  }

  get page(): Page {
    return this.#page;
  }

  /** Goes there; a refusal of the browser or of the server is no error. */
  async open(url: string, waitUntil: 'commit' | 'load' = 'commit'): Promise<void> {
    await this.#page.goto(url, { waitUntil }).catch((error: unknown) => {
      if (!/net::ERR_|interrupted|Download is starting/.test(String(error))) throw error;
    });
  }

  async signIn(page = this.#page): Promise<void> {
    await page.goto(`${this.names.victim}/sign-in`);
    await page.fill('[name=user]', 'alice');
    await page.click('button');
    await page.waitForSelector('#secret');
    this.state.shown.length = 0;
  }

  async popup(action: () => Promise<unknown>): Promise<Page> {
    const [popup] = await Promise.all([this.#page.context().waitForEvent('page'), action()]);
    return popup;
  }

  /** Something that the attack itself saw standing in its way. */
  note(what: string): void {
    this.#signal(`page: ${what}`);
  }

  #signal(what: string): void {
    this.signals.push(what);
    this.#happened.emit('any');
  }

  /** Resolves when the condition is true, and to false if it does not become so. */
  async until(condition: () => boolean): Promise<boolean> {
    if (condition()) return true;
    return new Promise((resolve) => {
      const end = (result: boolean): void => {
        clearTimeout(timer);
        this.#happened.off('any', look);
        resolve(result);
      };
      const look = (): void => void (condition() && end(true));
      const timer = setTimeout(() => end(false), DEADLINE);
      this.#happened.on('any', look);
    });
  }

  /** Does it again and again until the attack is over; a person clicks more than once, too. */
  async insist(action: () => Promise<unknown>): Promise<void> {
    const end = performance.now() + DEADLINE;
    do {
      await action();
      await this.#page
        .evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)))
        .catch(() => undefined);
    } while (!this.over() && performance.now() < end);
  }

  /** What is on its way has arrived: nothing is unanswered, and every page has gone through its queue. */
  async settle(): Promise<void> {
    for (let round = 0; round < 3; round++) {
      await this.until(() => this.#open.size === 0);
      for (const page of this.#page.context().pages())
        await page
          .evaluate(() => new Promise<void>((resolve) => setTimeout(() => resolve())))
          .catch(() => undefined);
    }
  }

  async stop(): Promise<void> {
    await this.#context?.close();
  }
}
