// A real OpenID provider (npm oidc-provider) for the broker: refresh tokens are
// used once, and whoever uses one twice ends all that came of the sign-in. It
// writes one line of JSON, {"issuer": ...}, when it listens, and ends when its
// standard input does. Behind /test/ the test looks in and takes hold:
//   GET  /test/seen        what was asked at the token endpoint and how it ended
//   POST /test/revoke      the person takes back what was granted
//   POST /test/as?name=    who signs in from now on
//   POST /test/slow?ms=    how long a token answer takes
//   POST /test/callback?uri=  where it may send people back to
import http from 'node:http';
import { randomBytes } from 'node:crypto';
import * as jose from 'jose';
import Provider from 'oidc-provider';

const { secret, callback: redirect } = JSON.parse(process.env.USHER_BROKERED);
const server = http.createServer();
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const issuer = `http://127.0.0.1:${server.address().port}`;

const signing = await jose.generateKeyPair('ES256', { extractable: true });
const key = { ...(await jose.exportJWK(signing.privateKey)), kid: 'signing-1', alg: 'ES256', use: 'sig' };

const state = { account: 'ana', slow: 0, seen: [], grants: new Set() };

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'shop', client_secret: secret, redirect_uris: redirect, grant_types: ['authorization_code', 'refresh_token', 'client_credentials', 'urn:ietf:params:oauth:grant-type:device_code'],
    response_types: ['code'], token_endpoint_auth_method: 'client_secret_basic', id_token_signed_response_alg: 'ES256', application_type: 'native',
  }],
  jwks: { keys: [key] },
  cookies: { keys: [randomBytes(16).toString('hex')] },
  scopes: ['openid', 'offline_access', 'email', 'orders'],
  claims: { openid: ['sub'], email: ['email'] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: async () => true,
  ttl: { RefreshToken: 3600, AccessToken: 600, AuthorizationCode: 60, DeviceCode: 300, ClientCredentials: 600, IdToken: 600, Session: 3600, Grant: 3600, Interaction: 600 },
  findAccount: async (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id, email: `${id}@shop.example` }) }),
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid offline_access email orders');
    await grant.save();
    return grant;
  },
  features: {
    devInteractions: { enabled: false }, clientCredentials: { enabled: true }, deviceFlow: { enabled: true, charset: 'base-20', mask: '****-****' },
    introspection: { enabled: true, allowedPolicy: async () => true }, revocation: { enabled: true, allowedPolicy: async () => true },
  },
});
provider.on('grant.success', (ctx) => state.seen.push({ grant: ctx.oidc.params.grant_type, ok: true }));
provider.on('grant.error', (ctx, err) => state.seen.push({ grant: ctx.oidc.params?.grant_type ?? '', ok: false, error: err.error, detail: err.error_detail ?? '' }));
for (const event of ['refresh_token.saved', 'access_token.saved']) provider.on(event, (token) => token.grantId && state.grants.add(token.grantId));

const answer = provider.callback();
server.on('request', async (req, res) => {
  const url = new URL(req.url, issuer);
  if (url.pathname.startsWith('/test/')) {
    switch (url.pathname.slice(6)) {
      case 'seen': return res.end(JSON.stringify(state.seen));
      case 'as': state.account = url.searchParams.get('name'); break;
      case 'slow': state.slow = Number(url.searchParams.get('ms')); break;
      case 'callback': (await provider.Client.find('shop')).redirectUris = [url.searchParams.get('uri')]; break;
      case 'revoke':
        for (const id of state.grants) {
          for (const kind of ['AccessToken', 'RefreshToken', 'AuthorizationCode', 'DeviceCode']) await provider[kind].revokeByGrantId(id);
          await (await provider.Grant.find(id))?.destroy();
        }
        state.grants.clear();
    }
    return res.end('{}');
  }
  if (url.pathname.startsWith('/interaction/')) return provider.interactionFinished(req, res, { login: { accountId: state.account }, consent: {} });
  if (url.pathname === '/token' && state.slow) await new Promise((done) => setTimeout(done, state.slow));
  answer(req, res);
});

console.log(JSON.stringify({ issuer }));
process.stdin.resume().on('end', () => process.exit(0));
