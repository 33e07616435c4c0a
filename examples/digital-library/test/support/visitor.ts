export interface LoanView {
  readonly id: string;
  readonly bookId: string;
  readonly returnedAt: string | null;
}

export interface BookView {
  readonly id: string;
  readonly isbn13: string;
  readonly title: string;
  readonly copies: number;
  readonly available: number;
}

/** Somebody who uses the JSON API of a running library, with a bearer token. */
export class Visitor {
  #token: string | undefined;
  readonly #own = new Set<string>();

  constructor(
    public url: string,
    readonly email: string,
    readonly password: string,
  ) {}

  /** A new account, signed in. */
  static async registered(url: string, email: string): Promise<Visitor> {
    const visitor = new Visitor(url, email, `a long sentence for ${crypto.randomUUID()}`);
    const { status, body } = await visitor.call('POST', '/api/auth/register', {
      login: email,
      password: visitor.password,
    });
    if (status !== 201) throw new Error(`Registration answers ${status}: ${JSON.stringify(body)}`);
    await visitor.signIn();
    return visitor;
  }

  /** The same person at another process, or at the same one on another port. */
  at(url: string): this {
    this.url = url;
    return this;
  }

  async signIn(): Promise<void> {
    this.#token = undefined;
    const { status, body } = await this.call('POST', '/api/auth/sign-in', {
      login: this.email,
      password: this.password,
      transport: 'bearer',
    });
    if (status !== 200) throw new Error(`Sign-in answers ${status}: ${JSON.stringify(body)}`);
    this.#token = (body as { access_token: string }).access_token;
  }

  /** Rejects if there is no answer; the body is undefined if it is not JSON. */
  async call(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : undefined };
  }

  /** The id of the loan, or undefined if it was refused. */
  async borrow(book: number | string): Promise<string | undefined> {
    const { status, body } = await this.call('POST', '/api/loans', { bookId: String(book) });
    if (status !== 201) return undefined;
    const { id } = body as LoanView;
    this.#own.add(id);
    return id;
  }

  async giveBack(loan: string): Promise<boolean> {
    return (await this.call('POST', `/api/loans/${loan}/return`)).status === 200;
  }

  /** True for a loan that this visitor got an answer about. */
  owns(loan: string): boolean {
    return this.#own.has(loan);
  }

  async loans(): Promise<readonly LoanView[]> {
    return (await this.#get<{ loans: readonly LoanView[] }>('/api/loans')).loans;
  }

  async allOpenLoans(): Promise<readonly LoanView[]> {
    return (await this.#get<{ loans: readonly LoanView[] }>('/api/loans/open')).loans;
  }

  async allBooks(): Promise<readonly BookView[]> {
    const books: BookView[] = [];
    for (let page = 1; ; page++) {
      const found = await this.#get<{ books: readonly BookView[]; pages: number }>(`/api/books?page=${page}`);
      books.push(...found.books);
      if (page >= found.pages) return books;
    }
  }

  async #get<T>(path: string): Promise<T> {
    const { status, body } = await this.call('GET', path);
    if (status !== 200) throw new Error(`${path} answers ${status}: ${JSON.stringify(body)}`);
    return body as T;
  }
}
