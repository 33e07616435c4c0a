import cors from 'cors';
import express from 'express';
import { expressjwt } from 'express-jwt';
import { rateLimit } from 'express-rate-limit';
import helmet from 'helmet';
import jwt from 'jsonwebtoken';
import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { Writable } from 'node:stream';
import winston from 'winston';
import type { Stack } from './stack.js';

/** What the READMEs of the well-known packages show, put together by hand, with a role check in a callback. */
function byHand(name: string, key: (secret: Buffer) => string | KeyObject): Stack {
  return {
    name,
    parts:
      'helmet, cors, express-rate-limit, winston line per request, express.json, express-jwt, role check',
    async build() {
      const secret = randomBytes(32);
      const verifyingKey = key(secret);
      const logger = winston.createLogger({
        format: winston.format.combine(winston.format.timestamp(), winston.format.json()),
        transports: [new winston.transports.Stream({ stream: discard() })],
      });
      const app = express();
      app.use((req, res, next) => {
        res.on('finish', () =>
          logger.info('request', { method: req.method, path: req.path, status: res.statusCode, ip: req.ip }),
        );
        next();
      });
      app.use(helmet());
      app.use(cors({ origin: ['https://app.example.com'], credentials: true }));
      app.use(
        rateLimit({ windowMs: 60_000, limit: 100_000_000, standardHeaders: 'draft-8', legacyHeaders: false }),
      );
      app.use(express.json());
      app.use(expressjwt({ secret: verifyingKey, algorithms: ['HS256'] }));
      app.use((req, res, next) => {
        const { auth } = req as unknown as { auth?: { roles?: string[] } };
        if (auth?.roles?.includes('reader') === true) next();
        else res.sendStatus(403);
      });
      app.get('/hello', (_req, res) => void res.json({ hello: 'world' }));
      const token = jwt.sign(
        { sub: 'u1', roles: ['reader'] },
        typeof verifyingKey === 'string' ? verifyingKey : secret,
        { expiresIn: '1h' },
      );
      return { app, headers: { authorization: `Bearer ${token}` } };
    },
  };
}

/** As the README of express-jwt shows it: the secret is a string. */
export const readmeStack = byHand('README-style stack', (secret) => secret.toString('base64url'));

/** The same by somebody who knows that a string secret costs thirty times as much to verify with. */
export const tunedStack = byHand('README-style stack, KeyObject', (secret) => createSecretKey(secret));

function discard(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
