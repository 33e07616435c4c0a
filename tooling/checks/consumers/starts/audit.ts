import express from 'express';
import { context } from '@portcullis/core';
import { createAudit, memoryAudit } from '@portcullis/audit';

const audit = createAudit({ store: memoryAudit() });
const app = express();
app.use(context({ trustProxy: false }), audit.accessLog());
app.get('/records', async (_req, res) => {
  await audit.record({ action: 'app.started', outcome: 'success' });
  const found: unknown = await audit.query({ viewer: 'system' });
  res.json(found);
});
