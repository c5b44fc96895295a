import express from "express";
import { expressjwt } from "express-jwt";
import jwksRsa from "jwks-rsa";
import { accepts, env, issuer, tell } from "./common.mjs";

const app = express();
app.use(expressjwt({
  secret: jwksRsa.expressJwtSecret({ cache: true, jwksUri: `${issuer}/.well-known/jwks.json` }),
  audience: env.AUDIENCE,
  issuer,
  algorithms: ["ES256"],
}));
app.get("/notes", (request, response) => response.json([]));
app.use((error, request, response, next) => response.status(error.status ?? 500).end());

tell("express-jwt", await accepts(app));
