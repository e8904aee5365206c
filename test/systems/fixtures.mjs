// What the provider and the client agree on.
export const callback = 'https://shop.example/callback';

// The APIs, by the names that their tokens are asked for with (RFC 8707).
export const api = { orders: 'https://orders.shop.example', reports: 'https://reports.shop.example' };

// clients are the registrations at the provider; the secrets are new in each run.
export const clients = (secrets) => [
  { client_id: 'shop-web', client_secret: secrets.web, redirect_uris: [callback], grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'], token_endpoint_auth_method: 'client_secret_basic' },
  { client_id: 'shop-spa', redirect_uris: [callback], grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'], token_endpoint_auth_method: 'none' },
  { client_id: 'brief-app', client_secret: secrets.brief, redirect_uris: [callback], grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'], token_endpoint_auth_method: 'client_secret_basic' },
  { client_id: 'limited-app', client_secret: secrets.limited, redirect_uris: [callback], grant_types: ['authorization_code'], response_types: ['code'], token_endpoint_auth_method: 'client_secret_basic', scope: 'openid' },
  { client_id: 'nightly-job', client_secret: secrets.job, redirect_uris: [], grant_types: ['client_credentials'], response_types: [], token_endpoint_auth_method: 'client_secret_post' },
  { client_id: 'tv-app', redirect_uris: [], grant_types: ['urn:ietf:params:oauth:grant-type:device_code'], response_types: [], token_endpoint_auth_method: 'none' },
  { client_id: 'jwt-job', client_secret: secrets.jwt, redirect_uris: [], grant_types: ['client_credentials'], response_types: [], token_endpoint_auth_method: 'client_secret_jwt' },
  { client_id: 'nonce-app', client_secret: secrets.nonce, redirect_uris: [], grant_types: ['client_credentials'], response_types: [], token_endpoint_auth_method: 'client_secret_basic', dpop_bound_access_tokens: true },
  { client_id: 'dpop-job', client_secret: secrets.dpop, redirect_uris: [], grant_types: ['client_credentials'], response_types: [], token_endpoint_auth_method: 'client_secret_basic', dpop_bound_access_tokens: true },
];
