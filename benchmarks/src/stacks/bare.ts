import express from 'express';
import type { Stack } from './stack.js';

/** The floor: Express 5 with one handler, nothing refused. */
export const bare: Stack = {
  name: 'bare Express 5',
  parts: 'express',
  async build() {
    const app = express();
    app.get('/hello', (_req, res) => void res.json({ hello: 'world' }));
    return { app, headers: {} };
  },
};
