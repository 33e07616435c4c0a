// Passkeys: what only a script can ask the browser for. All of it is judged by the account endpoints of the API.
const API = '/api/auth';
const part = (name) => document.querySelector(`[data-passkey="${name}"]`);

async function send(method, path, body) {
  const answer = await fetch(API + path, {
    method,
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  /** @type {Record<string, unknown>} */
  const json = await answer.json().catch(() => ({}));
  if (!answer.ok)
    throw Object.assign(new Error(json.detail ?? 'This did not work.'), { code: json.code, aal: json.aal });
  return json;
}

async function use(path) {
  const { options } = await send('POST', `${path}/options`, {});
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  const credential = await navigator.credentials.get({ publicKey });
  return send('POST', path, { response: credential.toJSON() });
}

async function make(path, facts, more = {}) {
  const { options } = await send('POST', `${path}/options`, facts);
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  const credential = await navigator.credentials.create({ publicKey });
  await send('POST', path, { ...facts, ...more, response: credential.toJSON() });
}

// What changes passkeys asks for a fresh sign-in: with a passkey where there is one, else on the page of signing in, with a code too.
async function steppedUp(action) {
  try {
    await action();
  } catch (error) {
    if (error.code !== 'E_STEP_UP_REQUIRED') throw error;
    if (error.aal < 2 || !part('remove')) return location.assign('/sign-in?next=/account/passkeys');
    await use('/passkeys/step-up');
    await action();
  }
  location.reload();
}

const WORDS = {
  NotAllowedError: 'The browser stopped, or nothing was chosen. Please try again.',
  InvalidStateError: 'This device has a passkey of yours already.',
  SecurityError: 'Passkeys cannot be used at this address.',
};

async function attempt(action) {
  part('trouble').textContent = '';
  try {
    await action();
  } catch (error) {
    part('trouble').textContent = WORDS[error.name] ?? error.message;
  }
}

function onSubmit(name, action) {
  const form = part(name);
  if (!form) return;
  form.hidden = false;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void attempt(async () => void (await action(form)));
  });
}

if (globalThis.PublicKeyCredential?.parseRequestOptionsFromJSON) {
  onSubmit('add', (form) => steppedUp(() => make('/passkeys', {}, { name: form.elements.name.value })));
  onSubmit('sign-in', async (form) => {
    await use('/passkeys/sign-in');
    // A path of our own or nothing; the server judges it as well.
    location.assign(/^\/[a-z0-9/]*$/.test(form.dataset.next) ? form.dataset.next : '/books');
  });
  onSubmit('account', async (form) => {
    await make('/register/passkey', { token: form.dataset.token });
    location.assign('/sign-in?done=registered');
  });
  for (const button of document.querySelectorAll('[data-passkey="remove"]'))
    button.addEventListener(
      'click',
      () => void attempt(() => steppedUp(() => send('DELETE', `/passkeys/${button.dataset.id}`))),
    );
} else if (part('add') ?? part('account')) {
  part('trouble').textContent = 'This browser knows no passkeys.';
}
