import jwt from "jsonwebtoken";
import jwksRsa from "jwks-rsa";
import { env, issuer, tell } from "./common.mjs";

const keys = jwksRsa({ jwksUri: `${issuer}/.well-known/jwks.json` });
const key = (header, done) => keys.getSigningKey(header.kid).then((found) => done(null, found.getPublicKey()), done);
const options = { algorithms: ["ES256"], issuer, audience: env.AUDIENCE };
const accepts = (token) => new Promise((told) => jwt.verify(token, key, options, (error) => told(!error)));

tell("jsonwebtoken", {
  accepts: await accepts(env.TOKEN),
  foreign: !(await accepts(env.FOREIGN)),
  revoked: !(await accepts(env.REVOKED)),
});
