import type { CDPSession, Page } from 'playwright-core';

export interface Authenticator {
  /** Whether somebody shows finger or PIN when asked. */
  verifyUser(does: boolean): Promise<void>;
  /** It is new again, without any passkey. */
  forget(): Promise<void>;
  /** What a thief has who read it out now. */
  copy(): Promise<{ use(): Promise<void>; putBack(): Promise<void> }>;
}

/** A virtual authenticator of a page: WebAuthn domain of the DevTools protocol. */
export async function openAuthenticator(page: Page): Promise<Authenticator> {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  let id = await plugIn(cdp);
  const read = async () => (await cdp.send('WebAuthn.getCredentials', { authenticatorId: id })).credentials;
  type Credentials = Awaited<ReturnType<typeof read>>;

  async function replaceBy(credentials: Credentials): Promise<void> {
    await cdp.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId: id });
    id = await plugIn(cdp);
    for (const credential of credentials)
      await cdp.send('WebAuthn.addCredential', { authenticatorId: id, credential });
  }
  return {
    async verifyUser(isUserVerified) {
      await cdp.send('WebAuthn.setUserVerified', { authenticatorId: id, isUserVerified });
    },
    async forget() {
      await cdp.send('WebAuthn.clearCredentials', { authenticatorId: id });
    },
    async copy() {
      const stolen = await read();
      let own: Credentials = [];
      return {
        async use() {
          own = await read();
          await replaceBy(stolen);
        },
        putBack: () => replaceBy(own),
      };
    },
  };
}

async function plugIn(cdp: CDPSession): Promise<string> {
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return authenticatorId;
}
