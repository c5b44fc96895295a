import express from "express";
import jwksRsa from "jwks-rsa";
import passport from "passport";
import { ExtractJwt, Strategy } from "passport-jwt";
import { accepts, env, issuer, tell } from "./common.mjs";

const options = {
  jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
  secretOrKeyProvider: jwksRsa.passportJwtSecret({ jwksUri: `${issuer}/.well-known/jwks.json` }),
  audience: env.AUDIENCE,
  issuer,
  algorithms: ["ES256"],
};
passport.use(new Strategy(options, (claims, done) => done(null, { id: claims.sub })));
const app = express();
app.get("/notes", passport.authenticate("jwt", { session: false }), (request, response) => response.json([]));

tell("passport-jwt", await accepts(app));
