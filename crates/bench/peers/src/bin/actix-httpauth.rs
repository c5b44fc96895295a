//! actix-web-httpauth and jsonwebtoken: the middleware extracts the token, and `decode` checks it.

use actix_web::dev::ServiceRequest;
use actix_web::error::ErrorUnauthorized;
use actix_web::{App, Error, HttpMessage, HttpServer, web};
use actix_web_httpauth::extractors::bearer::BearerAuth;
use actix_web_httpauth::middleware::HttpAuthentication;
use ficha_bench_peers::{Expected, end_with_parent};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;

#[derive(Clone, Deserialize)]
struct Claims {
    sub: String,
}

/// Created once, as the documentation shows.
struct Checks {
    key: DecodingKey,
    validation: Validation,
}

async fn check(request: ServiceRequest, bearer: BearerAuth) -> Result<ServiceRequest, (Error, ServiceRequest)> {
    let checks = request.app_data::<web::Data<Checks>>().expect("it is registered");
    match decode::<Claims>(bearer.token(), &checks.key, &checks.validation) {
        Ok(token) => {
            request.extensions_mut().insert(token.claims);
            Ok(request)
        }
        Err(error) => Err((ErrorUnauthorized(error), request)),
    }
}

async fn hello(claims: web::ReqData<Claims>) -> &'static str {
    if claims.sub.is_empty() { "Hello, nobody\n" } else { "Hello\n" }
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let expected = Expected::from_arguments();
    let keys: JwkSet = serde_json::from_str(&expected.jwks).expect("a key set");
    let key = DecodingKey::from_jwk(&keys.keys[0]).expect("a key");
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_issuer(&[&expected.issuer]);
    validation.set_audience(&[&expected.audience]);
    let checks = web::Data::new(Checks { key, validation });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(checks.clone())
            .service(web::resource("/protected").wrap(HttpAuthentication::bearer(check)).route(web::get().to(hello)))
    })
    .bind(("127.0.0.1", 0))?;
    println!("{}", server.addrs()[0]);
    end_with_parent();
    server.run().await
}
