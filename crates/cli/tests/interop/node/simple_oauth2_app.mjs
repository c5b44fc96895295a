import { ResourceOwnerPassword } from "simple-oauth2";
import { env, issuer, status, tell } from "./common.mjs";

const client = new ResourceOwnerPassword({
  client: { id: env.CLIENT_ID, secret: env.CLIENT_SECRET },
  auth: { tokenHost: issuer, tokenPath: "/token", revokePath: "/revoke" },
});
const first = await client.getToken({ username: env.USERNAME, password: env.PASSWORD, scope: "notes:read" });
const login = await status(first.token.access_token);
const second = await first.refresh();
const refresh = await status(second.token.access_token);
await second.revokeAll();
tell("simple-oauth2", {
  login: login === 200,
  refresh: refresh === 200 && second.token.refresh_token !== first.token.refresh_token,
  revoke: (await status(second.token.access_token)) === 401,
});
