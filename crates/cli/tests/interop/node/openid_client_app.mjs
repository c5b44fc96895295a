import * as client from "openid-client";
import { env, issuer, status, tell } from "./common.mjs";

// It looks at /.well-known/openid-configuration. Plain HTTP is for this test alone.
const options = { execute: [client.allowInsecureRequests] };
const config = await client.discovery(new URL(issuer), env.CLIENT_ID, env.CLIENT_SECRET, undefined, options);
const first = await client.genericGrantRequest(config, "password", {
  username: env.USERNAME,
  password: env.PASSWORD,
  scope: "openid notes:read",
});
const login = await status(first.access_token);
const second = await client.refreshTokenGrant(config, first.refresh_token);
const refresh = await status(second.access_token);
await client.tokenRevocation(config, second.refresh_token);
tell("openid-client", {
  login: login === 200,
  refresh: refresh === 200 && second.refresh_token !== first.refresh_token,
  revoke: (await status(second.access_token)) === 401,
});
