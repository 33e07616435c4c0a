/** How much and how often, all of it in one place; what a text or a list may hold stands in its schema (schemas.ts). */
export const limits = {
  /** What the server takes at all, before any route: for `secureServer()`. A cover is the largest body. */
  server: { headerBytes: 16_384, headers: 100, url: 8_192, body: 2_200_000, connections: 10_000 },
  /** Of request line and headers, of a whole request, and of an answer that nobody takes. */
  timeouts: { headers: '8s', request: '60s', keepAlive: '5s', idle: '2m', answer: '5m' },
  /** Requests a minute: of an address, of a person, to sign in or register, and reports of browsers. */
  perMinute: { address: 600, person: 1200, attempts: 30, reports: 60 },
  cover: { maxBytes: 2_000_000, maxPixels: 20_000_000 },
} as const;
