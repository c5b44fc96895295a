import { createVerifier } from "fast-jwt";
import buildGetJwks from "get-jwks";
import { env, issuer, tell } from "./common.mjs";

const getJwks = buildGetJwks({ issuersWhitelist: [issuer] });
const verify = createVerifier({
  key: ({ header }) => getJwks.getPublicKey({ kid: header.kid, alg: header.alg, domain: issuer }),
  algorithms: ["ES256"],
  allowedIss: issuer,
  allowedAud: env.AUDIENCE,
});
const accepts = (token) => verify(token).then(() => true, () => false);

tell("fast-jwt", {
  accepts: await accepts(env.TOKEN),
  foreign: !(await accepts(env.FOREIGN)),
  revoked: !(await accepts(env.REVOKED)),
});
