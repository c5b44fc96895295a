//! The programs of `tests/interop`, and what people should know about each library.

/// A program of `tests/interop`.
pub struct Program {
    pub file: &'static str,
    /// What it is called in the table, if not by its package.
    pub title: &'static str,
    pub note: &'static str,
}

const fn program(file: &'static str, title: &'static str, note: &'static str) -> Program {
    Program { file, title, note }
}

const NO_EDDSA: &str = "Reads no EdDSA: leave `keys.algorithm` at ES256.";
const PLAIN_BASIC: &str = "Does not form-encode id and secret in Basic.";

/// Those that obtain tokens for an app.
pub const APPS: [Program; 15] = [
    program(
        "python/requests_oauthlib_app.py",
        "requests-oauthlib (Python)",
        "Give the scope to `LegacyApplicationClient`: one that only the session has is not sent. Revoke with `withhold_token=True`.",
    ),
    program("python/authlib_app.py", "Authlib (Python)", ""),
    program(
        "python/authlib_httpx_app.py",
        "Authlib with httpx2, asynchronous (Python)",
        "Authlib calls httpx deprecated: install httpx2 as well.",
    ),
    program(
        "python/oauthlib_httpx_app.py",
        "oauthlib with httpx (Python)",
        "oauthlib makes the requests, also the revocation; httpx sends them.",
    ),
    program(
        "python/requests_oauth2client_app.py",
        "requests_oauth2client (Python)",
        "Sends id and secret in the body by default. Insists on HTTPS (`testing=True` is for tests).",
    ),
    program("python/requests_app.py", "requests, by hand (Python)", PLAIN_BASIC),
    program("python/aiohttp_app.py", "aiohttp, by hand (Python)", PLAIN_BASIC),
    program("node/simple_oauth2_app.mjs", "simple-oauth2 (Node.js)", "`revokeAll()` revokes both tokens."),
    program(
        "node/openid_client_app.mjs",
        "openid-client (Node.js)",
        "Finds the metadata at `/.well-known/openid-configuration`, and asks for `openid`.",
    ),
    program(
        "node/oauth4webapi_app.mjs",
        "oauth4webapi (Node.js, browsers)",
        "Form-encodes id and secret in Basic, as RFC 6749 §2.3.1 says.",
    ),
    program(
        "node/badgateway_app.mjs",
        "@badgateway/oauth2-client (Node.js, browsers)",
        "Finds the endpoints in the metadata. Form-encodes id and secret in Basic.",
    ),
    program(
        "node/axios_app.mjs",
        "axios, by hand (Node.js, browsers)",
        "`URLSearchParams` as the body sends a form. Does not form-encode id and secret in Basic.",
    ),
    program(
        "go/oauth2_app.go",
        "golang.org/x/oauth2 (Go)",
        "Form-encodes id and secret in Basic. Knows no revocation: post to `/revoke` yourself.",
    ),
    program(
        "ruby/oauth2_app.rb",
        "oauth2 (Ruby)",
        "This version knows no revocation: post to `/revoke` with `client.request`. Does not form-encode id and secret in Basic.",
    ),
    program("ruby/rack_oauth2_app.rb", "rack-oauth2 (Ruby)", "Form-encodes id and secret in Basic. `revoke!` revokes."),
];

/// Those that check tokens in a service.
pub const SERVICES: [Program; 22] = [
    program(
        "python/pyjwt_service.py",
        "PyJWT (Python)",
        "With [the follower](../how-to/from-fastapi.md), it refuses revoked tokens.",
    ),
    program("python/joserfc_service.py", "joserfc (Python)", ""),
    program("python/python_jose_service.py", "python-jose (Python)", NO_EDDSA),
    program("python/jwcrypto_service.py", "jwcrypto (Python)", ""),
    program(
        "python/authlib_flask_service.py",
        "Authlib with Flask (Python)",
        "Checks tokens by RFC 9068. Refuses valid tokens with EdDSA: leave `keys.algorithm` at ES256. Refuses a token without any scope.",
    ),
    program(
        "python/simplejwt_service.py",
        "djangorestframework-simplejwt (Python)",
        "Set `USER_ID_CLAIM` to `sub` and `TOKEN_TYPE_CLAIM` to `None`, and use `JWTStatelessUserAuthentication`.",
    ),
    program(
        "python/authlib_introspection_service.py",
        "Authlib, introspection (Python)",
        "Asks the server about each token.",
    ),
    program("node/jose_service.mjs", "jose (Node.js, browsers)", ""),
    program("node/jsonwebtoken_service.mjs", "jsonwebtoken with jwks-rsa (Node.js)", NO_EDDSA),
    program("node/passport_jwt_service.mjs", "passport-jwt with jwks-rsa (Node.js)", NO_EDDSA),
    program("node/express_jwt_service.mjs", "express-jwt with jwks-rsa (Node.js)", NO_EDDSA),
    program("node/koa_jwt_service.mjs", "koa-jwt with jwks-rsa (Node.js)", NO_EDDSA),
    program(
        "node/express_oauth2_jwt_bearer_service.mjs",
        "express-oauth2-jwt-bearer (Node.js)",
        "Finds the keys through the metadata; `strict: true` checks what RFC 9068 says.",
    ),
    program(
        "node/fast_jwt_service.mjs",
        "fast-jwt with get-jwks (Node.js)",
        "get-jwks makes no PEM of EdDSA keys: leave `keys.algorithm` at ES256.",
    ),
    program(
        "node/hono_service.mjs",
        "Hono, its `jwk` middleware (Node.js, edge)",
        "Set `verification.typ` to `at+jwt`: otherwise it takes `JWT` alone, and refuses every token.",
    ),
    program(
        "node/aws_jwt_verify_service.mjs",
        "aws-jwt-verify (Node.js, browsers)",
        "Fetches the keys by HTTPS alone; the program uses `cacheJwks`.",
    ),
    program(
        "go/go_oidc_service.go",
        "go-oidc (Go)",
        "Give `SupportedSigningAlgs`: its default is RS256 alone. `ClientID` is the audience.",
    ),
    program("go/go_jose_service.go", "go-jose (Go)", "Check the algorithm in the header yourself."),
    program("go/golang_jwt_service.go", "golang-jwt with go-jose (Go)", "Reads no key set itself; go-jose does."),
    program("ruby/jwt_service.rb", "jwt (Ruby)", NO_EDDSA),
    program(
        "ruby/json_jwt_service.rb",
        "json-jwt (Ruby)",
        "Reads no EdDSA. Checks no claims: compare `iss`, `aud` and `exp` yourself. The algorithm is a symbol, `:ES256`.",
    ),
    program("perl/crypt_jwt_service.pl", "Crypt::JWT (Perl)", ""),
];
