//! The security schemes in an OpenAPI description.

use ficha_resource::{OAuth2PasswordBearer, TestIssuer};
use serde_json::{Value, json};
use utoipa::openapi::{InfoBuilder, OpenApiBuilder};
use utoipa::{Modify, openapi};

fn schemes(modifier: &dyn Modify) -> Value {
    let mut description: openapi::OpenApi =
        OpenApiBuilder::new().info(InfoBuilder::new().title("Notes").version("1")).build();
    modifier.modify(&mut description);
    serde_json::to_value(&description).unwrap()["components"]["securitySchemes"].clone()
}

#[test]
fn the_password_flow_has_an_absolute_token_url() {
    let token_url = "https://issuer.test/token";
    let flow = json!({"password": {"tokenUrl": token_url, "refreshUrl": token_url, "scopes": {}}});
    let expected = json!({"OAuth2PasswordBearer": {"type": "oauth2", "flows": flow}});
    assert_eq!(schemes(&TestIssuer::new().oauth2()), expected);
}

#[test]
fn no_trait_is_needed() {
    // Neither `Modify` nor a version of utoipa of one's own.
    mod service {
        use ficha_resource::utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
        use ficha_resource::{OAuth2PasswordBearer, TestIssuer};

        pub fn describe() -> Vec<OpenApi> {
            let issuer = TestIssuer::new();
            let mut made = vec![OpenApiBuilder::new().info(InfoBuilder::new().title("Notes")).build(); 3];
            issuer.oauth2().modify(&mut made[0]);
            issuer.http_bearer().modify(&mut made[1]);
            OAuth2PasswordBearer::any_of([issuer.oauth2()]).modify(&mut made[2]);
            made
        }
    }
    let names = service::describe().into_iter().map(|made| {
        let schemes = made.components.unwrap().security_schemes;
        schemes.into_keys().collect::<Vec<_>>().concat()
    });
    assert!(names.eq(["OAuth2PasswordBearer", "HttpBearer", "OAuth2PasswordBearer"]));
}

#[test]
fn the_plain_bearer_scheme_has_no_token_url() {
    let expected = json!({"HttpBearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}});
    assert_eq!(schemes(&TestIssuer::new().http_bearer()), expected);
}

#[test]
fn several_issuers_have_a_scheme_each() {
    let bearers = ["https://one.test", "https://two.test"].map(|name| TestIssuer::named(name).oauth2());
    let schemes = schemes(&OAuth2PasswordBearer::any_of(bearers));
    let token_url = |scheme: &str| schemes[scheme]["flows"]["password"]["tokenUrl"].clone();
    assert_eq!(token_url("OAuth2PasswordBearer"), "https://one.test/token");
    assert_eq!(token_url("OAuth2PasswordBearer2"), "https://two.test/token");
}

#[test]
fn a_requirement_names_the_scheme_and_the_scopes() {
    let issuer = TestIssuer::new();
    let requirement = issuer.oauth2().security_requirement(["notes:read"]);
    assert_eq!(serde_json::to_value(requirement).unwrap(), json!({"OAuth2PasswordBearer": ["notes:read"]}));
    let requirement = issuer.http_bearer().security_requirement([]);
    assert_eq!(serde_json::to_value(requirement).unwrap(), json!({"HttpBearer": []}));
}
