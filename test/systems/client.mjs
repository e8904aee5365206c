// A real client (npm openid-client, and bare HTTP for what the library refuses
// to do) that provokes one failure after the other at the provider whose issuer
// is the argument. Writes one JSON object a failure and line: its name, what a
// person would have in hand (`files`), and the credentials that were in play
// (`secrets`), which nobody may print.
import http from 'node:http';
import { createServer } from 'node:net';
import { inspect } from 'node:util';
import * as jose from 'jose';
import * as oidc from 'openid-client';
import { api, callback } from './fixtures.mjs';

const issuer = process.argv[2];
const secrets = JSON.parse(process.env.USHER_SECRETS);

// inPlay collects the credentials of one failure.
let inPlay = new Set();
const secret = (s) => { if (s) inPlay.add(s); return s; };
const basic = (id, value) => `Basic ${secret(Buffer.from(`${id}:${secret(value)}`).toString('base64'))}`;
const form = (params) => new URLSearchParams(params).toString();
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// exchange does one request and gives the answer and both as raw HTTP.
function exchange(method, url, { headers = {}, body } = {}) {
  const target = new URL(url, issuer);
  const all = { Host: target.host, Accept: 'application/json', ...headers };
  if (body !== undefined) Object.assign(all, { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': Buffer.byteLength(body) });
  return new Promise((done, fail) => {
    const req = http.request(target, { method, headers: all }, async (res) => {
      let text = '';
      for await (const chunk of res.setEncoding('utf8')) text += chunk;
      const sent = [`${method} ${target.pathname}${target.search} HTTP/1.1`, ...Object.entries(all).map(([k, v]) => `${k}: ${v}`), '', body ?? ''];
      const got = [`HTTP/1.1 ${res.statusCode} ${res.statusMessage}`, ...res.rawHeaders.flatMap((h, i) => (i % 2 ? [] : [`${h}: ${res.rawHeaders[i + 1]}`])), '', text];
      let json;
      try { json = JSON.parse(text); } catch { /* a page */ }
      for (const k of ['access_token', 'refresh_token', 'id_token', 'device_code']) secret(json?.[k]);
      done({ status: res.statusCode, headers: res.headers, text, json, raw: [...sent, '', ...got, ''].join('\n') });
    });
    req.on('error', fail);
    req.end(body);
  });
}

const token = (params, authorization) => exchange('POST', '/token', { body: form(params), headers: authorization ? { Authorization: authorization } : {} });

// authorize is the browser: it follows the provider's redirects with cookies
// until it leaves the provider, and gives where it ended and what it saw.
async function authorize(params) {
  const jar = new Map();
  let url = `/auth?${form(params)}`;
  let raw = '';
  for (let hop = 0; hop < 8; hop++) {
    const seen = await exchange('GET', url, { headers: { Accept: 'text/html', ...(jar.size && { Cookie: [...jar].map(([k, v]) => `${k}=${v}`).join('; ') }) } });
    raw += seen.raw;
    for (const cookie of seen.headers['set-cookie'] ?? []) {
      const [, k, v] = /^([^=]+)=([^;]*)/.exec(cookie);
      if (v) jar.set(k, v); else jar.delete(k);
      if (/\.sig$|^_session|^_interaction/.test(k) && v.length > 12) secret(v);
    }
    if (!seen.headers.location) return { raw, page: seen.text, status: seen.status };
    const to = new URL(seen.headers.location, new URL(url, issuer));
    if (to.origin !== new URL(issuer).origin) {
      const given = (name) => to.searchParams.get(name) ?? new URLSearchParams(to.hash.slice(1)).get(name);
      secret(given('code'));
      return { raw, url: to.href, code: given('code') };
    }
    url = to.href;
  }
  throw new Error('the provider redirects for ever');
}

const verifier = () => secret(oidc.randomPKCECodeVerifier());
const challenge = async (v) => ({ code_challenge: await oidc.calculatePKCECodeChallenge(v), code_challenge_method: 'S256' });

// ask is an authorization request in order, but for what `params` changes.
async function ask(client, params = {}) {
  const v = verifier();
  const { without = [], ...rest } = params;
  const all = { client_id: client, response_type: 'code', redirect_uri: callback, scope: 'openid', state: 'st-4711', ...(await challenge(v)), ...rest };
  for (const name of without) delete all[name];
  return { ...(await authorize(all)), verifier: v };
}

const redeem = (seen, authorization, params = {}) =>
  token({ grant_type: 'authorization_code', code: seen.code, redirect_uri: callback, code_verifier: seen.verifier, ...params }, authorization);

const web = () => basic('shop-web', secrets.web);
const offline = { scope: 'openid offline_access', prompt: 'consent' };

// operator is what the provider's own log says since it was last asked.
const operator = async () => JSON.parse((await exchange('GET', '/log')).text).join('\n') + '\n';

// configured is openid-client as an app sets it up.
async function configured(client, value, options = {}) {
  return oidc.discovery(new URL(options.issuer ?? issuer), client, undefined, options.auth ?? oidc.ClientSecretBasic(secret(value)), { execute: [oidc.allowInsecureRequests], ...options.discovery });
}

// thrown is what the app's console shows of an error that nobody caught.
async function thrown(work) {
  try {
    await work();
  } catch (err) {
    return `Uncaught ${inspect(err, { colors: false })}\n\nNode.js ${process.version}\n`;
  }
  throw new Error('nothing failed');
}

// apiToken asks for an access token of an API for the nightly job.
const apiToken = async (resource, scope) =>
  (await token({ grant_type: 'client_credentials', client_id: 'nightly-job', client_secret: secret(secrets.job), resource, scope })).json.access_token;

const bearer = (t) => (t ? { headers: { Authorization: `Bearer ${secret(t)}` } } : {});
const forged = async (t, change) => {
  const { privateKey } = await jose.generateKeyPair('RS256');
  const header = { ...jose.decodeProtectedHeader(t), ...change };
  return secret(await new jose.SignJWT(jose.decodeJwt(t)).setProtectedHeader(header).sign(privateKey));
};

// logged is a failure with the answer and the operator's log of it.
const logged = async (failed) => ({ 'exchange.txt': failed.raw, 'provider.log': await operator() });

const failures = {
  // At the authorization endpoint.
  'redirect URI not registered': async () => ({ 'exchange.txt': (await ask('shop-web', { redirect_uri: 'https://shop.example/callback/' })).raw }),
  'redirect URI not registered, the page': async () => ({ 'page.html': (await ask('shop-web', { redirect_uri: 'http://localhost:3000/callback' })).page }),
  'unknown client at authorization': async () => ({ 'page.html': (await ask('shop-wep')).page }),
  'unsupported response type': async () => ({ 'url.txt': (await ask('shop-web', { response_type: 'token', without: ['code_challenge', 'code_challenge_method'] })).url }),
  'response type not allowed': async () => ({ 'url.txt': (await ask('shop-web', { response_type: 'id_token', nonce: 'n-1' })).url }),
  'unregistered scope': async () => ({ 'url.txt': (await ask('limited-app', { scope: 'openid email' })).url }),
  'missing PKCE': async () => ({ 'url.txt': (await ask('shop-spa', { without: ['code_challenge', 'code_challenge_method'] })).url }),
  'login_required with prompt=none': async () => ({ 'url.txt': (await ask('shop-spa', { prompt: 'none' })).url }),
  'login_required with prompt=none, the exchange': async () => ({ 'exchange.txt': (await ask('shop-spa', { prompt: 'none' })).raw }),
  'invalid resource at authorization': async () => ({ 'url.txt': (await ask('shop-web', { resource: 'https://stock.shop.example' })).url }),
  'pushed request with an unknown redirect URI': async () => ({ 'exchange.txt': (await exchange('POST', '/request', { headers: { Authorization: web() }, body: form({ client_id: 'shop-web', response_type: 'code', redirect_uri: 'https://shop.example/other', scope: 'openid', ...(await challenge(verifier())) }) })).raw }),
  'request without response_type': async () => ({ 'url.txt': (await ask('shop-web', { without: ['response_type'] })).url }),

  // The client at the token endpoint.
  'unknown client': async () => logged(await token({ grant_type: 'client_credentials' }, basic('nightly-jop', secrets.job))),
  'wrong secret': async () => logged(await token({ grant_type: 'client_credentials', client_id: 'nightly-job', client_secret: secret(`${secrets.job}x`) })),
  'wrong secret, the body alone': async () => ({ 'body.json': (await token({ grant_type: 'client_credentials', client_id: 'nightly-job', client_secret: secret(`${secrets.job}x`) })).text }),
  'wrong secret, the app': async () => ({ 'app.log': await thrown(async () => oidc.clientCredentialsGrant(await configured('nightly-job', '', { auth: oidc.ClientSecretPost(secret(`${secrets.job}x`)) }))) }),
  'wrong client authentication method': async () => logged(await token({ grant_type: 'client_credentials' }, basic('jwt-job', secrets.jwt))),
  'secret left out': async () => logged(await token({ grant_type: 'client_credentials', client_id: 'nightly-job' })),
  'client assertion for another audience': async () => {
    const assertion = await new jose.SignJWT({ jti: 'a-1' }).setProtectedHeader({ alg: 'HS256' }).setIssuer('jwt-job').setSubject('jwt-job').setAudience('https://id.other.example').setIssuedAt().setExpirationTime('1m').sign(new TextEncoder().encode(secret(secrets.jwt)));
    return logged(await token({ grant_type: 'client_credentials', client_assertion: secret(assertion), client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' }));
  },
  'grant not allowed': async () => ({ 'exchange.txt': (await token({ grant_type: 'client_credentials' }, web())).raw }),
  'grant not allowed, the app': async () => ({ 'app.log': await thrown(async () => oidc.clientCredentialsGrant(await configured('shop-web', secrets.web))) }),
  'grant unknown to the provider': async () => ({ 'body.json': (await token({ grant_type: 'password', username: 'ana', password: secret('correct horse 81') }, web())).text }),
  'invalid resource at the token endpoint': async () => ({ 'exchange.txt': (await token({ grant_type: 'client_credentials', client_id: 'nightly-job', client_secret: secret(secrets.job), resource: 'https://stock.shop.example' })).raw }),

  // The code and the refresh token.
  'wrong code_verifier': async () => {
    const failed = await redeem(await ask('shop-web'), web(), { code_verifier: verifier() });
    return logged(failed);
  },
  'code reused': async () => {
    const seen = await ask('shop-web');
    await redeem(seen, web());
    await operator();
    return logged(await redeem(seen, web()));
  },
  'code reused, both exchanges': async () => {
    const seen = await ask('shop-web');
    const first = await redeem(seen, web());
    return { 'exchange.txt': first.raw + (await redeem(seen, web())).raw };
  },
  'code expired': async () => {
    const seen = await ask('brief-app');
    await sleep(2100);
    return logged(await redeem(seen, basic('brief-app', secrets.brief)));
  },
  'code of another client': async () => logged(await redeem(await ask('shop-web'), basic('limited-app', secrets.limited))),
  'redirect URI of the token request differs': async () => logged(await redeem(await ask('shop-web'), web(), { redirect_uri: 'https://shop.example/callback2' })),
  'refresh token reused after rotation': async () => {
    const first = (await redeem(await ask('shop-web', offline), web())).json;
    await token({ grant_type: 'refresh_token', refresh_token: first.refresh_token }, web());
    await operator();
    return logged(await token({ grant_type: 'refresh_token', refresh_token: first.refresh_token }, web()));
  },
  'refresh token expired': async () => {
    const first = (await redeem(await ask('brief-app', offline), basic('brief-app', secrets.brief))).json;
    await sleep(2100);
    return logged(await token({ grant_type: 'refresh_token', refresh_token: first.refresh_token }, basic('brief-app', secrets.brief)));
  },
  'refresh token unknown': async () => logged(await token({ grant_type: 'refresh_token', refresh_token: secret('Zq8vT0pXyW3mB6nKcLr1sDfGhJ2aE4uIoP5tYbVxQwe') }, web())),
  'refresh token unknown, the body alone': async () => ({ 'body.json': (await token({ grant_type: 'refresh_token', refresh_token: secret('Zq8vT0pXyW3mB6nKcLr1sDfGhJ2aE4uIoP5tYbVxQwe') }, web())).text }),

  // The access token.
  'userinfo without openid': async () => {
    const got = (await redeem(await ask('shop-web', { scope: 'email' }), web())).json;
    return { 'exchange.txt': (await exchange('GET', '/me', bearer(got.access_token))).raw };
  },
  'userinfo without a token': async () => ({ 'exchange.txt': (await exchange('GET', '/me')).raw }),
  'userinfo with an unknown token': async () => ({ 'exchange.txt': (await exchange('GET', '/me', bearer('kD93jfWq0zLmN7xT5vB2cR8sYh1gPuEaOiQwJtKlXrZ'))).raw }),
  'userinfo with the token of an API': async () => {
    const got = (await redeem(await ask('shop-web', { resource: api.orders, scope: 'openid orders.read' }), web(), { resource: api.orders })).json;
    return { 'exchange.txt': (await exchange('GET', '/me', bearer(got.access_token))).raw };
  },
  'no token at the API': async () => ({ 'exchange.txt': (await exchange('GET', '/api/orders')).raw }),
  'scope missing at the API': async () => ({ 'exchange.txt': (await exchange('GET', '/api/orders/new', bearer(await apiToken(api.orders, 'orders.read')))).raw }),
  'token of another API': async () => ({ 'exchange.txt': (await exchange('GET', '/api/orders', bearer(await apiToken(api.reports, 'reports.read')))).raw }),
  'token expired at the API': async () => {
    const t = await apiToken(api.reports, 'reports.read');
    await sleep(2100);
    return { 'exchange.txt': (await exchange('GET', '/api/reports', bearer(t))).raw };
  },
  'token expired, the log of the API': async () => {
    const t = await apiToken(api.reports, 'reports.read');
    await sleep(2100);
    await operator();
    await exchange('GET', '/api/reports', bearer(t));
    return { 'api.log': await operator() };
  },
  'token signed by another': async () => ({ 'exchange.txt': (await exchange('GET', '/api/orders', bearer(await forged(await apiToken(api.orders, 'orders.read'))))).raw }),
  'token with an unknown key id': async () => ({ 'exchange.txt': (await exchange('GET', '/api/orders', bearer(await forged(await apiToken(api.orders, 'orders.read'), { kid: 'signing-0' })))).raw }),
  'token cut short': async () => ({ 'exchange.txt': (await exchange('GET', '/api/orders', bearer((await apiToken(api.orders, 'orders.read')).slice(0, 60)))).raw }),
  'ID token at the API': async () => {
    const got = (await redeem(await ask('shop-web'), web())).json;
    return { 'exchange.txt': (await exchange('GET', '/api/orders', bearer(got.id_token))).raw };
  },

  // What the client's library says by itself.
  'issuer with a slash at the end': async () => {
    const seen = await ask('shop-web');
    const known = (await configured('shop-web', secrets.web)).serverMetadata();
    const config = new oidc.Configuration({ ...known, issuer: `${issuer}/`, authorization_response_iss_parameter_supported: false }, 'shop-web', undefined, oidc.ClientSecretBasic(secret(secrets.web)));
    oidc.allowInsecureRequests(config);
    const back = new URL(seen.url);
    back.searchParams.delete('iss'); // as behind a framework that hands on code and state alone
    return { 'app.log': await thrown(() => oidc.authorizationCodeGrant(config, back, { pkceCodeVerifier: seen.verifier, expectedState: 'st-4711' })) };
  },
  'answer of another issuer': async () => {
    const seen = await ask('shop-web');
    const known = (await configured('shop-web', secrets.web)).serverMetadata();
    const config = new oidc.Configuration({ ...known, issuer: `${issuer}/` }, 'shop-web', undefined, oidc.ClientSecretBasic(secret(secrets.web)));
    oidc.allowInsecureRequests(config);
    return { 'app.log': await thrown(() => oidc.authorizationCodeGrant(config, new URL(seen.url), { pkceCodeVerifier: seen.verifier, expectedState: 'st-4711' })) };
  },
  'issuer by another name': async () => ({ 'app.log': await thrown(() => configured('shop-web', secrets.web, { issuer: issuer.replace('127.0.0.1', 'localhost') })) }),
  'issuer with a path that is not there': async () => ({ 'app.log': await thrown(() => configured('shop-web', secrets.web, { issuer: `${issuer}/realms/shop` })) }),
  'provider that does not listen': async () => {
    const free = await new Promise((done) => { const s = createServer().listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => done(port)); }); });
    return { 'app.log': await thrown(() => configured('shop-web', secrets.web, { issuer: `http://127.0.0.1:${free}` })) };
  },
  'state mismatch': async () => {
    const seen = await ask('shop-web');
    return { 'app.log': await thrown(async () => oidc.authorizationCodeGrant(await configured('shop-web', secrets.web), new URL(seen.url), { pkceCodeVerifier: seen.verifier, expectedState: 'st-0815' })) };
  },
  'nonce mismatch': async () => {
    const seen = await ask('shop-web', { nonce: 'nonce-of-the-first-tab' });
    return { 'app.log': await thrown(async () => oidc.authorizationCodeGrant(await configured('shop-web', secrets.web), new URL(seen.url), { pkceCodeVerifier: seen.verifier, expectedState: 'st-4711', expectedNonce: 'nonce-of-the-second-tab' })) };
  },
  'login_required, the app': async () => {
    const seen = await ask('shop-web', { prompt: 'none' });
    return { 'app.log': await thrown(async () => oidc.authorizationCodeGrant(await configured('shop-web', secrets.web), new URL(seen.url), { pkceCodeVerifier: seen.verifier, expectedState: 'st-4711' })) };
  },
  'code reused, the app and the log': async () => {
    const seen = await ask('shop-web');
    await redeem(seen, web());
    await operator();
    const app = await thrown(async () => oidc.authorizationCodeGrant(await configured('shop-web', secrets.web), new URL(seen.url), { pkceCodeVerifier: seen.verifier, expectedState: 'st-4711' }));
    return { 'app.log': app, 'provider.log': await operator() };
  },

  // The proof of possession.
  'DPoP proof missing': async () => logged(await token({ grant_type: 'client_credentials' }, basic('dpop-job', secrets.dpop))),
  'DPoP nonce wanted': async () => ({ 'exchange.txt': (await exchange('POST', '/token', { headers: { Authorization: basic('nonce-app', secrets.nonce), DPoP: await proof('POST', `${issuer}/token`) }, body: form({ grant_type: 'client_credentials' }) })).raw }),
  'DPoP proof for another address': async () => ({ 'exchange.txt': (await exchange('POST', '/token', { headers: { Authorization: basic('dpop-job', secrets.dpop), DPoP: await proof('POST', `${issuer}/tokens`) }, body: form({ grant_type: 'client_credentials' }) })).raw }),
  'DPoP proof of last hour': async () => ({ 'exchange.txt': (await exchange('POST', '/token', { headers: { Authorization: basic('dpop-job', secrets.dpop), DPoP: await proof('POST', `${issuer}/token`, 3600) }, body: form({ grant_type: 'client_credentials' }) })).raw }),

  // The other endpoints.
  'sign-out to an address not registered': async () => ({ 'exchange.txt': (await exchange('GET', `/session/end?${form({ client_id: 'shop-web', post_logout_redirect_uri: 'https://shop.example/bye' })}`, { headers: { Accept: 'text/html' } })).raw }),
  'device that waits': async () => {
    const body = { client_id: 'tv-app' };
    const device = (await exchange('POST', '/device/auth', { body: form(body) })).json;
    return { 'exchange.txt': (await token({ ...body, grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: device.device_code })).raw };
  },
};

async function proof(htm, htu, age = 0) {
  const pair = await jose.generateKeyPair('ES256');
  return secret(await new jose.SignJWT({ htm, htu, jti: `p-${Math.random()}`, iat: Math.floor(Date.now() / 1000) - age })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk: await jose.exportJWK(pair.publicKey) }).sign(pair.privateKey));
}

for (const [name, provoke] of Object.entries(failures)) {
  inPlay = new Set();
  await operator();
  try {
    const files = await provoke();
    console.log(JSON.stringify({ name, files, secrets: [...inPlay] }));
    const log = files['provider.log'];
    if (log) console.log(JSON.stringify({ name: `${name}, the log alone`, files: { 'provider.log': log }, secrets: [...inPlay] }));
  } catch (err) {
    console.log(JSON.stringify({ name, broken: err.stack }));
  }
}
