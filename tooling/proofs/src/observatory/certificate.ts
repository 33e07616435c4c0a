import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  readonly key: string;
  readonly cert: string;
  /** What `NODE_EXTRA_CA_CERTS` of a client names. */
  readonly file: string;
  /** SHA-256 of the public key, in base64, as Chromium wants to be told whom to trust. */
  readonly spki: string;
  remove(): void;
}

/** For `localhost`, made for this run and removed after it. */
export function makeCertificate(): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-observatory-'));
  const [keyFile, file] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'].concat(
      ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
      ['-keyout', keyFile, '-out', file],
    ),
    { stdio: 'ignore' },
  );
  const cert = readFileSync(file, 'utf8');
  const publicKey = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' });
  return {
    key: readFileSync(keyFile, 'utf8'),
    cert,
    file,
    spki: createHash('sha256').update(publicKey).digest('base64'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
