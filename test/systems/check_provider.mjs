// Many OpenID providers of one make (npm oidc-provider), each behind a proxy of
// its own that speaks TLS: one as it should be, and one for each mistake that
// people make with the provider or with the proxy. Reads {cert, key, secret}
// from the environment as JSON, writes one line of JSON, {"app": ..., "issuers":
// {name: issuer}}, when all listen, and ends when its standard input does.
//
// GET /made on an issuer's origin tells which clients were registered and which
// refresh tokens live: what a probe made and did not undo is seen there.
import http from 'node:http';
import https from 'node:https';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import * as jose from 'jose';
import Provider from 'oidc-provider';

const { cert, key, brief, secret } = JSON.parse(process.env.USHER_CHECKED);
const tls = { cert, key, minVersion: 'TLSv1.2', ciphers: 'ECDHE+AESGCM' };

const listen = (server) => new Promise((done) => server.listen(0, '127.0.0.1', () => done(server.address().port)));
const rsa = await jose.generateKeyPair('RS256', { extractable: true });
const signing = { ...(await jose.exportJWK(rsa.privateKey)), kid: 'signing-1', alg: 'RS256', use: 'sig' };
const other = await jose.generateKeyPair('RS256', { extractable: true });
const second = { ...(await jose.exportJWK(other.publicKey)), kid: 'signing-1', alg: 'RS256', use: 'sig' };
const { publicKey: small } = generateKeyPairSync('rsa', { modulusLength: 1024 });
const own = await jose.generateKeyPair('ES256', { extractable: true });
const issuers = {};

// The app: its callback page is quiet, and has twins that are not; its API takes
// bound tokens with their proof alone, and has a twin that takes them without.
const app = https.createServer(tls, (req, res) => {
  const url = new URL(req.url, 'https://app');
  res.setHeader('Strict-Transport-Security', 'max-age=31536000');
  if (url.pathname === '/open') {
    const next = url.searchParams.get('next');
    if (next) return res.writeHead(302, { Location: next }).end();
  }
  const api = /^\/.well-known\/oauth-protected-resource(\/api|\/lax)$/.exec(url.pathname);
  if (api) {
    res.setHeader('Content-Type', 'application/json');
    return res.end(JSON.stringify({ resource: origin + api[1], authorization_servers: [issuers.good], bearer_methods_supported: ['header'] }));
  }
  if (url.pathname === '/api' || url.pathname === '/lax') {
    const given = req.headers.authorization ?? '';
    if (/^DPoP /i.test(given) && req.headers.dpop || url.pathname === '/lax' && /^Bearer /i.test(given)) return res.end('{}');
    return res.writeHead(401, { 'WWW-Authenticate': `DPoP error="invalid_token", resource_metadata="${origin}/.well-known/oauth-protected-resource${url.pathname}"` }).end();
  }
  res.setHeader('Content-Type', 'text/html; charset=utf-8');
  if (url.pathname === '/chatty') {
    res.setHeader('Referrer-Policy', 'unsafe-url');
    return res.end('<!doctype html><title>Signing in</title><script src="https://stats.example/t.js"></script>');
  }
  res.setHeader('Referrer-Policy', 'no-referrer');
  res.end('<!doctype html><title>Signing in</title>');
});
const origin = `https://localhost:${await listen(app)}`;
const callbacks = [`${origin}/callback`, `${origin}/chatty`, `${origin}/open`];

const clients = [
  { client_id: 'web', client_secret: secret, redirect_uris: callbacks, grant_types: ['authorization_code', 'refresh_token', 'client_credentials'], response_types: ['code'], token_endpoint_auth_method: 'client_secret_basic' },
  { client_id: 'spa', redirect_uris: callbacks, grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'], token_endpoint_auth_method: 'none' },
  { client_id: 'jwt', jwks: { keys: [{ ...(await jose.exportJWK(own.publicKey)), kid: 'own', alg: 'ES256', use: 'sig' }] }, redirect_uris: callbacks, grant_types: ['authorization_code'], response_types: ['code'], token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'ES256' },
];

// configuration is the provider as it should be.
const configuration = () => ({
  clients: structuredClone(clients),
  jwks: { keys: [signing] },
  cookies: { keys: [randomBytes(16).toString('hex')] },
  scopes: ['openid', 'offline_access', 'email'],
  claims: { openid: ['sub'], email: ['email'] },
  responseTypes: ['code'],
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
  enabledJWA: { idTokenSigningAlgValues: ['RS256'], userinfoSigningAlgValues: ['RS256'], introspectionSigningAlgValues: ['RS256'] },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  clientBasedCORS: (ctx, from, client) => from === origin && client.clientId === 'spa',
  issueRefreshToken: async (ctx, client, code) => client.grantTypeAllowed('refresh_token'),
  ttl: { AccessToken: 600, AuthorizationCode: 60, IdToken: 600, RefreshToken: 86400, ClientCredentials: 600 },
  findAccount: async (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id, email: `${id}@shop.example` }) }),
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid offline_access email');
    await grant.save();
    return grant;
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: (ctx, client, token) => token.clientId === client.clientId },
    revocation: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    dPoP: { enabled: true, nonceSecret: randomBytes(32) },
  },
});

const document = (change) => ({ reply: (r, ask) => { if (ask.path.endsWith('/openid-configuration') || ask.path.endsWith('/oauth-authorization-server')) json(r, change); } });
const jwks = (change) => ({ reply: (r, ask) => { if (ask.path === '/jwks') json(r, change); } });
const headers = (path, change) => ({ reply: (r, ask) => { if (ask.path === path) change(r.headers, r, ask); } });
function json(r, change) {
  if (r.status !== 200) return;
  const doc = JSON.parse(r.body);
  r.body = Buffer.from(JSON.stringify(change(doc) ?? doc));
}

// Each mistake changes the provider's configuration (configure), the provider
// (provide), what the proxy sends on (ask) or what it hands back (reply), or how
// it speaks TLS (tls). An ask that gives something is the answer.
const mistakes = {
  good: {},

  // In the provider.
  'implicit grant': { configure: (c) => { c.responseTypes = ['code', 'id_token', 'code id_token']; } },
  'hmac id tokens': { configure: (c) => { c.enabledJWA.idTokenSigningAlgValues = ['HS256']; c.clientDefaults = { id_token_signed_response_alg: 'HS256' }; c.clients = c.clients.filter((one) => one.client_secret); } },
  'pkce optional': { configure: (c) => { c.pkce.required = () => false; } },
  'open registration': { configure: (c) => { c.features.registration = { enabled: true, initialAccessToken: false }; c.features.registrationManagement = { enabled: true }; } },
  'guarded registration': { configure: (c) => { c.features.registration = { enabled: true, initialAccessToken: true }; } },
  'any registration': {
    configure: (c) => { c.features.registration = { enabled: true, initialAccessToken: false }; c.features.registrationManagement = { enabled: true }; },
    ask: (ask) => { if (ask.path === '/reg' && ask.method === 'POST') ask.body = Buffer.from(ask.body.toString().replace('no address: usher probe', 'https://anything.example/callback')); },
  },
  'no revocation': { configure: (c) => { c.features.revocation = { enabled: false }; } },
  'no introspection': { configure: (c) => { c.features.introspection = { enabled: false }; } },
  'no sign-out': { configure: (c) => { c.features.rpInitiatedLogout = { enabled: false }; } },
  'no pushed requests': { configure: (c) => { c.features.pushedAuthorizationRequests = { enabled: false }; } },
  'no bound tokens': { configure: (c) => { c.features.dPoP = { enabled: false }; } },
  'refresh tokens not rotated': { configure: (c) => { c.rotateRefreshToken = false; } },
  'old refresh tokens taken': { provide: (p) => { p.RefreshToken.prototype.consume = async () => {}; } },
  'assertions taken twice': { provide: (p) => { p.ReplayDetection.unique = async () => true; } },
  'issuer with a slash': { issuer: (issuer) => `${issuer}/` },
  'issuer of the inner host': { issuer: () => 'https://provider.svc.cluster.local' },
  'any redirect URI': { provide: (p) => { p.Client.prototype.redirectUriAllowed = () => true; } },
  'redirect URI by prefix': { provide: (p) => { p.Client.prototype.redirectUriAllowed = function allowed(uri) { return this.redirectUris.some((one) => uri.startsWith(one)); }; } },
  'redirect URI without case': { provide: (p) => { p.Client.prototype.redirectUriAllowed = function allowed(uri) { return this.redirectUris.some((one) => uri.toLowerCase() === one.toLowerCase()); }; } },

  // In the proxy.
  'http endpoints': { ask: (ask) => { delete ask.headers['x-forwarded-proto']; } },
  'plain PKCE': document((d) => { d.code_challenge_methods_supported = ['plain', 'S256']; }),
  'plain PKCE alone': document((d) => { d.code_challenge_methods_supported = ['plain']; }),
  'PKCE not announced': document((d) => { delete d.code_challenge_methods_supported; }),
  'alg none': document((d) => { d.id_token_signing_alg_values_supported.push('none'); }),
  'password grant': document((d) => { d.grant_types_supported.push('password'); }),
  'no keys named': document((d) => { delete d.jwks_uri; }),
  'a string for a list': document((d) => { d.response_types_supported = 'code'; }),
  'foreign endpoint': document((d) => { d.token_endpoint = 'https://token.other-company.example/token'; }),
  'says it wants pushed requests': document((d) => { d.require_pushed_authorization_requests = true; }),
  'small key': jwks((d) => { d.keys[0] = { ...small.export({ format: 'jwk' }), kid: 'signing-1', alg: 'RS256', use: 'sig' }; }),
  'no kid': jwks((d) => { d.keys.push({ ...second }); for (const one of d.keys) delete one.kid; }),
  'kid twice': jwks((d) => { d.keys.push(second); }),
  'private key': jwks((d) => { d.keys[0] = signing; }),
  'symmetric key': jwks((d) => { d.keys.push({ kty: 'oct', k: randomBytes(32).toString('base64url'), kid: 'hmac', alg: 'HS256', use: 'sig' }); }),
  'no alg': jwks((d) => { delete d.keys[0].alg; delete d.keys[0].use; }),
  'no keys': jwks(() => ({ keys: [] })),
  'keys are a page': headers('/jwks', (h, r) => { h['content-type'] = 'text/html'; r.body = Buffer.from('<!doctype html><title>Sign in</title>'); }),
  'keys kept for a year': headers('/jwks', (h) => { h['cache-control'] = 'public, max-age=31536000'; }),
  'nothing may be kept': { reply: (r, ask) => { if (/jwks|well-known/.test(ask.path)) r.headers['cache-control'] = 'no-store'; } },
  'tokens may be kept': headers('/token', (h) => { h['cache-control'] = 'public, max-age=60'; delete h.pragma; }),
  'no CORS at the token endpoint': { ask: (ask) => (ask.method === 'OPTIONS' ? { status: 405, headers: {}, body: Buffer.alloc(0) } : undefined) },
  'CORS at the sign-in page': { ask: (ask) => (ask.method === 'OPTIONS' && ask.path === '/auth' ? { status: 204, headers: { 'access-control-allow-origin': ask.headers.origin ?? '*', 'access-control-allow-methods': 'GET' }, body: Buffer.alloc(0) } : undefined) },
  'introspection for everybody': { ask: (ask) => (ask.path === '/token/introspection' ? { status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from('{"active":false}') } : undefined) },
  'token endpoint takes GET': { ask: (ask) => (ask.path === '/token' && ask.method === 'GET' ? { status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from('{"token_type":"Bearer"}') } : undefined) },
  'a verifier without a challenge': { configure: (c) => { c.pkce.required = () => false; }, ask: (ask) => { if (ask.path === '/token') ask.body = Buffer.from(ask.body.toString().replace(/&?code_verifier=[^&]*/, '')); } },
  'the proxy knows the secret': { ask: (ask) => { if (ask.path === '/token' && !ask.headers.authorization && /refresh_token/.test(ask.body)) ask.headers.authorization = `Basic ${btoa(`web:${secret}`)}`; } },
  'revocation that does nothing': { ask: (ask) => (ask.path === '/token/revocation' ? { status: 200, headers: {}, body: Buffer.alloc(0) } : undefined) },
  'parameters twice': { ask: (ask) => { const u = new URL(ask.url, 'https://x'); for (const name of new Set(u.searchParams.keys())) u.searchParams.set(name, u.searchParams.get(name)); ask.url = u.pathname + u.search; } },
  'strange parameters refused': { ask: (ask) => (ask.path === '/auth' && ask.url.includes('usher_probe') ? { status: 400, headers: { 'content-type': 'text/html' }, body: Buffer.from('<title>Bad request</title>') } : undefined) },
  'sign-in page in a frame': { reply: (r) => { delete r.headers['x-frame-options']; delete r.headers['content-security-policy']; } },
  'no HSTS': { reply: (r) => { delete r.headers['strict-transport-security']; } },
  'clock behind': { reply: (r) => { r.headers.date = new Date(Date.now() - 20 * 60_000).toUTCString(); } },
  'old TLS': { tls: { minVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0' } },
  'weak ciphers': { tls: { maxVersion: 'TLSv1.2', ciphers: 'ECDHE+AESGCM:AES128-SHA' } },
  'certificate ends soon': { tls: { cert: brief } },
};

async function start(mistake) {
  const inner = http.createServer();
  const port = await listen(inner);
  const outer = https.createServer({ ...tls, ...mistake.tls });
  const seen = `https://localhost:${await listen(outer)}`;
  const config = configuration();
  mistake.configure?.(config);
  const provider = new Provider(mistake.issuer?.(seen) ?? seen, config);
  provider.proxy = true;
  mistake.provide?.(provider);

  let made = 0;
  const registered = new Set();
  const living = new Set();
  provider.on('registration_create.success', (ctx, client) => { made++; registered.add(client.clientId); });
  provider.on('registration_delete.success', (ctx, client) => registered.delete(client.clientId));
  for (const kind of ['access_token', 'refresh_token', 'client_credentials']) {
    provider.on(`${kind}.saved`, (token) => { made++; living.add(`${kind} ${token.jti}`); });
    provider.on(`${kind}.destroyed`, (token) => living.delete(`${kind} ${token.jti}`));
    provider.on(`${kind}.consumed`, (token) => living.delete(`${kind} ${token.jti}`));
  }
  // A grant that is revoked takes its tokens with it.
  provider.on('grant.revoked', () => { for (const one of living) if (!one.startsWith('client_credentials')) living.delete(one); });

  const answer = provider.callback();
  inner.on('request', (req, res) => {
    if (req.url === '/made') return res.end(JSON.stringify({ made, registered: [...registered], living: [...living] }));
    if (req.url.startsWith('/interaction/')) {
      // A page for a person; the one who signs in by script asks for ?go.
      if (!req.url.endsWith('?go')) return res.setHeader('content-type', 'text/html').end('<!doctype html><title>Sign in</title><form><input name=password></form>');
      return provider.interactionFinished(req, res, { login: { accountId: 'ana' }, consent: {} });
    }
    answer(req, res);
  });

  outer.on('request', async (req, res) => {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    const ask = { method: req.method, url: req.url, path: req.url.split('?')[0], headers: { ...req.headers, 'x-forwarded-proto': 'https' }, body: Buffer.concat(chunks) };
    const r = mistake.ask?.(ask) ?? (await forward(port, ask));
    r.headers['strict-transport-security'] ??= 'max-age=31536000';
    r.headers['x-frame-options'] ??= 'DENY';
    r.headers['content-security-policy'] ??= "frame-ancestors 'none'";
    if (/\/jwks|well-known/.test(ask.path)) r.headers['cache-control'] = 'public, max-age=3600';
    mistake.reply?.(r, ask);
    delete r.headers['content-length'];
    delete r.headers['transfer-encoding'];
    if (r.body.length) r.headers['content-length'] = r.body.length;
    res.writeHead(r.status, r.headers).end(r.body);
  });
  return seen;
}

// forward sends a request to the provider behind the proxy.
const forward = (port, ask) => new Promise((done, failed) => {
  const headers = { ...ask.headers };
  if (ask.body.length) headers['content-length'] = ask.body.length;
  const out = http.request({ host: '127.0.0.1', port, method: ask.method, path: ask.url, headers }, async (res) => {
    const chunks = [];
    for await (const chunk of res) chunks.push(chunk);
    done({ status: res.statusCode, headers: { ...res.headers }, body: Buffer.concat(chunks) });
  });
  out.on('error', failed);
  out.end(ask.body);
});

for (const [name, mistake] of Object.entries(mistakes)) issuers[name] = await start(mistake);
const ownKey = { ...(await jose.exportJWK(own.privateKey)), kid: 'own', alg: 'ES256' };
console.log(JSON.stringify({ app: origin, key: JSON.stringify(ownKey), issuers }));
process.stdin.resume().on('end', () => process.exit(0));
