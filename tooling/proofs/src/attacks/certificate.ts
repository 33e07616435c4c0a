import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  readonly key: Buffer;
  readonly cert: Buffer;
  /** What Chromium's `--ignore-certificate-errors-spki-list` takes: with it a certificate counts as valid, so that HSTS is heeded. */
  readonly spki: string;
}

/** A key and a certificate for this run only. */
export function makeCertificate(): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-attacks-'));
  try {
    const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    execFileSync(
      'openssl',
      `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=example -keyout ${keyFile} -out ${certFile}`.split(
        ' ',
      ),
      { stdio: 'ignore' },
    );
    const cert = readFileSync(certFile);
    const spki = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' });
    return {
      key: readFileSync(keyFile),
      cert,
      spki: createHash('sha256').update(spki).digest('base64'),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
