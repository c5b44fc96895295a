import jwksRsa from "jwks-rsa";
import Koa from "koa";
import jwt from "koa-jwt";
import { accepts, env, issuer, tell } from "./common.mjs";

const app = new Koa();
app.use(jwt({
  secret: jwksRsa.koaJwtSecret({ jwksUri: `${issuer}/.well-known/jwks.json` }),
  audience: env.AUDIENCE,
  issuer,
  algorithms: ["ES256"],
}));
app.use((context) => (context.body = []));

tell("koa-jwt", await accepts(app));
