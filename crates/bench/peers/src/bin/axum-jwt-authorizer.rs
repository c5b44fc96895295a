//! jwt-authorizer on axum: its layer checks the token.

use axum::Router;
use axum::routing::get;
use ficha_bench_peers::{Expected, end_with_parent};
use jwt_authorizer::{Authorizer, IntoLayer, JwtAuthorizer, JwtClaims, RegisteredClaims, Validation};

async fn hello(JwtClaims(claims): JwtClaims<RegisteredClaims>) -> &'static str {
    if claims.sub.is_none() { "Hello, nobody\n" } else { "Hello\n" }
}

#[tokio::main]
async fn main() {
    let expected = Expected::from_arguments();
    let validation = Validation::new().iss(&[expected.issuer]).aud(&[expected.audience]);
    let authorizer: Authorizer =
        JwtAuthorizer::from_jwks_text(&expected.jwks).validation(validation).build().await.expect("a valid key set");
    let app = Router::new().route("/protected", get(hello)).layer(authorizer.into_layer());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    println!("{}", listener.local_addr().expect("it listens"));
    end_with_parent();
    // The answers are small: without this they would wait for the next segment.
    axum::serve(listener, app).tcp_nodelay(true).await.expect("it serves");
}
