// A real relying party (npm openid-client) against usher's lab. The argument is
// the lab's settings as `usher lab --format json` prints them. Reads the name
// of a fault a line, switches it on, provokes it, switches it off, and writes
// one line of JSON: what the library or the API said (`status`, `error`,
// `description`), and `message` where something else happened.
import { createInterface } from 'node:readline';
import * as oidc from 'openid-client';

const lab = JSON.parse(process.argv[2]);
const control = (method, path) => fetch(`${lab.base}/lab/${path}`, { method });
const shown = async () => {
  const client = await (await fetch(lab.secret_at)).json();
  const last = client.secrets.at(-1);
  return last.value ?? last.secret_id; // what a person copies
};

async function party(dialect, secret) {
  const at = lab[dialect];
  const config = await oidc.discovery(new URL(at.issuer), at.client_id, { client_secret: secret }, oidc.ClientSecretPost(secret), { execute: [oidc.allowInsecureRequests] });
  const scope = dialect === 'entra' ? 'openid offline_access api://orders/orders' : 'openid orders';
  // authorize goes to the provider as dana and gives where it sends her back to.
  const authorize = async (more = {}) => {
    const verifier = oidc.randomPKCECodeVerifier();
    const state = oidc.randomState();
    const to = oidc.buildAuthorizationUrl(config, {
      redirect_uri: lab.redirect_uri, scope, state, login_hint: 'lab:dana',
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', ...more,
    });
    const res = await fetch(to, { redirect: 'manual' });
    const back = res.headers.get('location');
    if (!back) throw { status: res.status, message: (await res.text()).replace(/<style[\s\S]*?<\/style>|<[^>]*>/g, ' ').replace(/\s+/g, ' ') };
    return { back: new URL(back), verifier, state };
  };
  const signIn = async (more) => {
    const { back, verifier, state } = await authorize(more);
    return oidc.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier, expectedState: state });
  };
  const orders = async (tokens) => {
    const res = await oidc.fetchProtectedResource(config, tokens.access_token, new URL(lab.api), 'GET');
    return res.status;
  };
  return { config, authorize, signIn, orders, refresh: (t) => oidc.refreshTokenGrant(config, t.refresh_token) };
}

// provoke has a function for each fault: before is while all is well, the rest
// while the fault is on.
const call = { dialect: 'keycloak', during: async (p) => p.orders(await p.signIn()) };
const signIn = { during: (p) => p.signIn() };
const provoke = {
  'redirect-uri-mismatch': { dialect: 'keycloak', ...signIn },
  'policy-device': { dialect: 'entra', before: (p) => p.signIn(), during: (p, tokens) => p.refresh(tokens) },
  'consent-required': { dialect: 'entra', before: (p) => p.signIn(), during: (p, tokens) => p.refresh(tokens) },
  'client-secret-invalid': { dialect: 'keycloak', ...signIn },
  'client-secret-expired': { dialect: 'entra', ...signIn },
  'client-secret-id-used': { dialect: 'entra', copies: true, ...signIn },
  'refresh-token-reused': {
    dialect: 'keycloak', before: (p) => p.signIn(),
    during: async (p, tokens) => { await p.refresh(tokens).catch(() => {}); return p.refresh(tokens); },
  },
  'token-expired': call, 'token-wrong-audience': call, 'token-key-not-found': call, 'clock-skew': call, 'scope-insufficient': call,
};

function told(err) {
  if (err instanceof oidc.WWWAuthenticateChallengeError) {
    const { error, error_description } = err.cause[0].parameters;
    return { status: err.status, error, description: error_description };
  }
  if (err.error) return { status: err.status, error: err.error, description: err.error_description };
  return { status: err.status ?? 0, message: err.message ?? String(err), code: err.code };
}

for await (const name of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const { dialect, before, during, copies } = provoke[name];
    let p = await party(dialect, await shown());
    const kept = before && await before(p);
    await control('PUT', `faults/${name}`);
    if (copies) p = await party(dialect, await shown());
    answer = await during(p, kept).then((got) => ({ message: `it worked: ${got}` }), told);
  } catch (err) {
    answer = { message: `lab.mjs: ${err.stack ?? JSON.stringify(err)}` };
  }
  process.stdout.write(JSON.stringify({ name, ...answer }) + '\n');
}
