import { Hono } from "hono";
import { jwk } from "hono/jwk";
import { env, issuer, tell } from "./common.mjs";

const app = new Hono();
app.use("/notes", jwk({
  jwks_uri: `${issuer}/.well-known/jwks.json`,
  alg: ["ES256"],
  verification: { typ: "at+jwt", iss: issuer, aud: env.AUDIENCE },
}));
app.get("/notes", (c) => c.json([]));
const accepts = async (token) => {
  const { status } = await app.request("/notes", { headers: { authorization: `Bearer ${token}` } });
  if (![200, 401].includes(status)) throw new Error(`status ${status}`);
  return status === 200;
};

tell("hono", {
  accepts: await accepts(env.TOKEN),
  foreign: !(await accepts(env.FOREIGN)),
  revoked: !(await accepts(env.REVOKED)),
});
