// A real OpenID provider (npm oidc-provider) with fixed clients, a person who
// signs in at once, and the two APIs that its access tokens are for. Writes one
// line of JSON, {"issuer": ..., "api": ...}, when it listens, and ends when its
// standard input does.
import http from 'node:http';
import { randomBytes } from 'node:crypto';
import * as jose from 'jose';
import Provider, { errors } from 'oidc-provider';
import { api, clients } from './fixtures.mjs';

const server = http.createServer();
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const issuer = `http://127.0.0.1:${server.address().port}`;

const signing = await jose.generateKeyPair('RS256', { extractable: true });
const key = { ...(await jose.exportJWK(signing.privateKey)), kid: 'signing-1', alg: 'RS256', use: 'sig' };
const resources = {
  [api.orders]: { scope: 'orders.read orders.write', accessTokenFormat: 'jwt', accessTokenTTL: 600 },
  [api.reports]: { scope: 'reports.read', accessTokenFormat: 'jwt', accessTokenTTL: 1 },
};

const provider = new Provider(issuer, {
  clients: clients(JSON.parse(process.env.USHER_SECRETS)),
  jwks: { keys: [key] },
  cookies: { keys: [randomBytes(16).toString('hex')] },
  scopes: ['openid', 'offline_access', 'email'],
  claims: { openid: ['sub'], email: ['email'] },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: async (ctx, client, code) => client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
  ttl: { RefreshToken: (ctx, token, client) => (client.clientId === 'brief-app' ? 1 : 600), AccessToken: 600, AuthorizationCode: (ctx, token, client) => (client.clientId === 'brief-app' ? 1 : 60) },
  findAccount: async (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id, email: `${id}@shop.example` }) }),
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  // Consent is given for whatever is asked, as an administrator would have done.
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid offline_access email');
    for (const [name, { scope }] of Object.entries(resources)) grant.addResourceScope(name, scope);
    await grant.save();
    return grant;
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: (ctx) => ctx.oidc.client?.clientId === 'nonce-app' },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, name) => {
        if (resources[name]) return resources[name];
        throw new errors.InvalidTarget();
      },
    },
  },
});

// The operator's log: what the provider tells its own console and nobody else.
const log = [];
for (const event of ['authorization.error', 'grant.error', 'userinfo.error', 'server_error', 'pushed_authorization_request.error', 'introspection.error', 'device_authorization.error', 'end_session.error']) {
  provider.on(event, (ctx, err) => log.push(`${new Date().toISOString()} oidc-provider ${event} ${ctx.method} ${ctx.path} ${err.stack}${err.error_detail ? `\n  error_detail: ${err.error_detail}` : ''}`));
}

const answer = provider.callback();
const trusted = jose.createLocalJWKSet({ keys: [(({ kty, n, e, kid, alg, use }) => ({ kty, n, e, kid, alg, use }))(key)] });

// The API guards itself as RFC 6750 section 3 says; `why` is its log.
async function guard(req, res, audience, scope) {
  const refuse = (status, error, description) => {
    const params = [`realm="${audience}"`, error && `error="${error}"`, description && `error_description="${description.replaceAll('"', "'")}"`, status === 403 && `scope="${scope}"`].filter(Boolean);
    res.writeHead(status, { 'WWW-Authenticate': `Bearer ${params.join(', ')}`, 'Content-Type': 'application/json' });
    res.end(JSON.stringify(error ? { error, error_description: description } : { message: 'Unauthorized' }));
  };
  const [, token] = /^Bearer (.+)$/i.exec(req.headers.authorization ?? '') ?? [];
  if (!token) return refuse(401);
  try {
    const { payload } = await jose.jwtVerify(token, trusted, { issuer, audience, typ: 'at+jwt' });
    if (!String(payload.scope ?? '').split(' ').includes(scope)) return refuse(403, 'insufficient_scope', 'The access token does not carry the scope that this call needs');
    res.writeHead(200, { 'Content-Type': 'application/json' });
    res.end('{"ok":true}');
  } catch (err) {
    log.push(`${new Date().toISOString()} api ${err.stack}`);
    refuse(401, 'invalid_token', err.message);
  }
}

server.on('request', async (req, res) => {
  if (req.url === '/log') return res.end(JSON.stringify(log.splice(0)));
  if (req.url === '/api/orders') return guard(req, res, api.orders, 'orders.read');
  if (req.url === '/api/orders/new') return guard(req, res, api.orders, 'orders.write');
  if (req.url === '/api/reports') return guard(req, res, api.reports, 'reports.read');
  if (req.url.startsWith('/interaction/')) return provider.interactionFinished(req, res, { login: { accountId: 'ana' }, consent: {} });
  answer(req, res);
});

console.log(JSON.stringify({ issuer }));
process.stdin.resume().on('end', () => process.exit(0));
