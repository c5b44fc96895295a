import express from "express";
import { auth, requiredScopes } from "express-oauth2-jwt-bearer";
import { accepts, env, issuer, tell } from "./common.mjs";

const app = express();
// `strict` asks for what RFC 9068 says of access tokens.
app.use(auth({ issuerBaseURL: issuer, audience: env.AUDIENCE, strict: true }));
app.get("/notes", requiredScopes("notes:read"), (request, response) => response.json([]));
app.use((error, request, response, next) => response.status(error.status ?? 500).end());

tell("express-oauth2-jwt-bearer", await accepts(app));
