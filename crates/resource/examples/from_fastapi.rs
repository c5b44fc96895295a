//! The small API of the page "From FastAPI's OAuth2PasswordBearer" (docs/src/how-to/from-fastapi.md).

use actix_web::web::Json;
use actix_web::{App, HttpServer, Responder, get};
use ficha_resource::{Bearer, OAuth2PasswordBearer, scopes};
use serde_json::json;

scopes! { ItemsRead = "items:read"; }

#[get("/users/me")]
async fn me(user: Bearer) -> impl Responder {
    Json(json!({"sub": user.claims.sub}))
}

#[get("/items")]
async fn items(user: Bearer<ItemsRead>) -> impl Responder {
    Json(json!([{"item": "portal gun", "owner": user.claims.sub}]))
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let issuer = "http://127.0.0.1:8080";
    let oauth2_scheme =
        OAuth2PasswordBearer::discover(issuer).audience(issuer).scope("items:read", "Read items").build().await?;
    HttpServer::new(move || App::new().app_data(oauth2_scheme.clone()).service((me, items)))
        .bind("127.0.0.1:8000")?
        .run()
        .await?;
    Ok(())
}
