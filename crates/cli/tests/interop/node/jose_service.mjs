import { createRemoteJWKSet, jwtVerify } from "jose";
import { env, issuer, tell } from "./common.mjs";

const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`));
const accepts = (token) =>
  jwtVerify(token, keys, { issuer, audience: env.AUDIENCE, typ: "at+jwt" }).then(() => true, () => false);

tell("jose", {
  accepts: await accepts(env.TOKEN),
  foreign: !(await accepts(env.FOREIGN)),
  revoked: !(await accepts(env.REVOKED)),
});
