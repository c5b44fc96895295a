import axios from "axios";
import { env, issuer, status, tell } from "./common.mjs";

const server = axios.create({ baseURL: issuer, auth: { username: env.CLIENT_ID, password: env.CLIENT_SECRET } });
const tokens = async (form) => (await server.post("/token", new URLSearchParams(form))).data;
const first = await tokens({ grant_type: "password", username: env.USERNAME, password: env.PASSWORD, scope: "notes:read" });
const login = await status(first.access_token);
const second = await tokens({ grant_type: "refresh_token", refresh_token: first.refresh_token });
const refresh = await status(second.access_token);
await server.post("/revoke", new URLSearchParams({ token: second.refresh_token }));
tell("axios", {
  login: login === 200,
  refresh: refresh === 200 && second.refresh_token !== first.refresh_token,
  revoke: (await status(second.access_token)) === 401,
});
