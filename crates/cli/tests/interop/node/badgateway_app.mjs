import { OAuth2Client } from "@badgateway/oauth2-client";
import { env, issuer, status, tell } from "./common.mjs";

// It finds the endpoints in the metadata.
const client = new OAuth2Client({ server: issuer, clientId: env.CLIENT_ID, clientSecret: env.CLIENT_SECRET });
const first = await client.password({ username: env.USERNAME, password: env.PASSWORD, scope: ["notes:read"] });
const login = await status(first.accessToken);
const second = await client.refreshToken(first);
const refresh = await status(second.accessToken);
await client.revoke(second, "refresh_token");
tell("@badgateway/oauth2-client", {
  login: login === 200,
  refresh: refresh === 200 && second.refreshToken !== first.refreshToken,
  revoke: (await status(second.accessToken)) === 401,
});
