// A real relying party (npm openid-client) and the person before it. Reads one
// attempt a line from standard input as JSON:
//
//   issuer, client, redirect   where to sign in, as whom, and the redirect URI
//   secret                     of the client; a public client has none
//   user, password             typed into the provider's form
//   scope                      "openid" unless given
//   from                       the person's address, as a proxy in front of the
//                              provider would pass it on
//   agent                      the person's browser
//   refresh                    true: use the refresh token once, too
//
// and writes one line of JSON for each: `ok`, or the `step` that failed
// (discovery, authorize, login, token, refresh) with what it said.
import { createInterface } from 'node:readline';
import * as oidc from 'openid-client';

class Failed extends Error {
  constructor(step, told) { super(step); this.told = { step, ...told }; }
}

// The person's browser: cookies, redirects, forms.
class Browser {
  constructor(headers) { this.headers = headers; this.jar = new Map(); }

  async request(url, form) {
    const res = await fetch(url, {
      method: form ? 'POST' : 'GET',
      redirect: 'manual',
      headers: {
        Accept: 'text/html',
        ...this.headers,
        ...(this.jar.size && { Cookie: [...this.jar].map(([k, v]) => `${k}=${v}`).join('; ') }),
        ...(form && { 'Content-Type': 'application/x-www-form-urlencoded' }),
      },
      body: form && new URLSearchParams(form).toString(),
    });
    for (const cookie of res.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      if (value && !/max-age=0/i.test(cookie)) this.jar.set(name, value); else this.jar.delete(name);
    }
    return { status: res.status, location: res.headers.get('location'), page: await res.text() };
  }

  // go follows redirects as long as they stay at the provider.
  async go(url, provider, form) {
    for (let hop = 0; hop < 10; hop++) {
      const seen = await this.request(url, form);
      if (!seen.location) return seen;
      const to = new URL(seen.location, url);
      if (to.origin !== provider) return { ...seen, left: to };
      url = to.href;
      form = undefined;
    }
    throw new Failed('authorize', { message: 'the provider redirects for ever' });
  }
}

const text = (html) => html?.replace(/<[^>]*>/g, ' ').replace(/&#(\d+);/g, (_, n) => String.fromCodePoint(n)).replace(/&quot;/g, '"').replace(/&amp;/g, '&').replace(/\s+/g, ' ').trim();
const part = (page, pattern) => text(pattern.exec(page)?.[1]);

// formOf gives where Keycloak's login form goes.
const formOf = (page) => /<form[^>]*id="kc-form-login"[^>]*action="([^"]+)"/.exec(page)?.[1].replaceAll('&amp;', '&');

// complaint is what a page of Keycloak says went wrong.
const complaint = (page) => part(page, /id="input-error[^"]*"[^>]*>([\s\S]*?)<\/span>/)
  ?? part(page, /id="kc-error-message"[^>]*>\s*<p[^>]*>([\s\S]*?)<\/p>/)
  ?? part(page, /class="[^"]*(?:kc-feedback-text|pf-v5-c-alert__title)[^"]*"[^>]*>([\s\S]*?)<\/span>/);

async function signIn({ issuer, client, secret, redirect, user, password, scope = 'openid', from, agent = 'Mozilla/5.0 (rp.mjs)', refresh }) {
  const passedOn = { ...(from && { 'X-Forwarded-For': from }) };
  const asApp = (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...passedOn } });
  const failed = (step) => (err) => {
    throw new Failed(step, { error: err.error, description: err.error_description, status: err.status, message: err.cause?.error_description ?? err.message });
  };

  const config = await oidc.discovery(new URL(issuer), client, secret && { client_secret: secret }, secret ? oidc.ClientSecretBasic(secret) : oidc.None(), {
    execute: [oidc.allowInsecureRequests],
    [oidc.customFetch]: asApp,
  }).catch(failed('discovery'));

  const verifier = oidc.randomPKCECodeVerifier();
  const state = oidc.randomState();
  const start = oidc.buildAuthorizationUrl(config, {
    redirect_uri: redirect, scope, state, code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  });

  const browser = new Browser({ ...passedOn, 'User-Agent': agent });
  let seen = await browser.go(start.href, start.origin);
  let form = formOf(seen.page);
  if (!seen.left && !form) throw new Failed('authorize', { status: seen.status, message: complaint(seen.page) });
  if (form) {
    seen = await browser.go(form, start.origin, { username: user, password, credentialId: '' });
    if (!seen.left) throw new Failed('login', { status: seen.status, message: complaint(seen.page) });
  }
  if (seen.left.searchParams.has('error')) {
    throw new Failed('authorize', { error: seen.left.searchParams.get('error'), description: seen.left.searchParams.get('error_description') });
  }
  let tokens = await oidc.authorizationCodeGrant(config, seen.left, { pkceCodeVerifier: verifier, expectedState: state }).catch(failed('token'));
  if (refresh) tokens = await oidc.refreshTokenGrant(config, tokens.refresh_token).catch(failed('refresh'));
  return { ok: true, sub: tokens.claims()?.sub, scope: tokens.scope };
}

for await (const line of createInterface({ input: process.stdin })) {
  if (!line.trim()) continue;
  const answer = await signIn(JSON.parse(line)).catch((err) => {
    if (err instanceof Failed) return { ok: false, ...err.told };
    return { ok: false, step: 'rp.mjs', message: String(err.stack) };
  });
  process.stdout.write(JSON.stringify(answer) + '\n');
}
