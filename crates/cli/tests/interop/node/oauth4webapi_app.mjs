import * as oauth from "oauth4webapi";
import { env, issuer, status, tell } from "./common.mjs";

const insecure = { [oauth.allowInsecureRequests]: true };
const url = new URL(issuer);
const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, insecure));
const client = { client_id: env.CLIENT_ID };
const secret = oauth.ClientSecretBasic(env.CLIENT_SECRET);
const parameters = new URLSearchParams({ username: env.USERNAME, password: env.PASSWORD, scope: "notes:read" });
const granted = await oauth.genericTokenEndpointRequest(server, client, secret, "password", parameters, insecure);
const first = await oauth.processGenericTokenEndpointResponse(server, client, granted);
const login = await status(first.access_token);
const renewed = await oauth.refreshTokenGrantRequest(server, client, secret, first.refresh_token, insecure);
const second = await oauth.processRefreshTokenResponse(server, client, renewed);
const refresh = await status(second.access_token);
await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, secret, second.refresh_token, insecure));
tell("oauth4webapi", {
  login: login === 200,
  refresh: refresh === 200 && second.refresh_token !== first.refresh_token,
  revoke: (await status(second.access_token)) === 401,
});
