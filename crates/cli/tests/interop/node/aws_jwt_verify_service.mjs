import { JwtVerifier } from "aws-jwt-verify";
import { env, issuer, tell } from "./common.mjs";

const jwksUri = `${issuer}/.well-known/jwks.json`;
const verifier = JwtVerifier.create({ issuer, audience: env.AUDIENCE, jwksUri });
// It fetches the keys itself, by HTTPS alone. This test has plain HTTP.
verifier.cacheJwks(await (await fetch(jwksUri)).json());
const accepts = (token) => verifier.verify(token).then(() => true, () => false);

tell("aws-jwt-verify", {
  accepts: await accepts(env.TOKEN),
  foreign: !(await accepts(env.FOREIGN)),
  revoked: !(await accepts(env.REVOKED)),
});
