//! The OpenAPI description.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use ficha_store::testing::TestDatabase;
use reqwest::Method;
use serde_json::{Value, json};

use crate::routes;
use ficha_testing::{App, tester};

/// Routes that the description leaves out: they serve the description itself, and are not part of the API.
const NOT_DESCRIBED: [&str; 5] =
    ["/.well-known/openid-configuration", "/openapi.json", "/docs", "/docs/{file:.*}", "/problems/{name}"];

async fn description(app: &App) -> Value {
    let response = app.get("/openapi.json").await;
    assert_eq!(response.status(), 200);
    response.json().await.expect("it is JSON")
}

/// Every value of this member, at any depth.
fn all<'v>(value: &'v Value, member: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| all(item, member, found)),
        Value::Object(members) => {
            found.extend(members.get(member));
            members.values().for_each(|value| all(value, member, found));
        }
        _ => (),
    }
}

/// Method and path of every described operation, and the operation.
fn operations(description: &Value) -> impl Iterator<Item = (Method, &str, &Value)> {
    let paths = description["paths"].as_object().expect("paths");
    paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().expect("a path item");
        item.iter().map(|(method, operation)| {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
            (method, path.as_str(), operation)
        })
    })
}

ficha_store::on_both_databases! {
    /// After an intended change: `FICHA_TEST_RENEW=1 cargo test -p ficha-server --test web openapi`, then review the
    /// difference before committing it.
    async fn the_description_is_the_committed_one(database: TestDatabase) {
        let app = App::start(&database).await;
        let mut got = description(&app).await;
        let info = got["info"].as_object_mut().expect("info");
        assert_eq!(info.remove("version").expect("a version"), env!("CARGO_PKG_VERSION"));
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/web/openapi.json");
        if std::env::var_os("FICHA_TEST_RENEW").is_some() {
            let text = serde_json::to_string_pretty(&got).expect("JSON can be written") + "\n";
            std::fs::write(&file, text).expect("the file can be written");
        }
        let text = std::fs::read_to_string(&file).expect("the committed description is there");
        let committed: Value = serde_json::from_str(&text).expect("it is JSON");
        assert!(got == committed, "{} differs; FICHA_TEST_RENEW=1 rewrites it. It is now:\n{got:#}", file.display());
    }

    async fn scopes_come_from_the_database(database: TestDatabase) {
        let app = App::start(&database).await;
        let scopes = async || {
            let body = description(&app).await;
            body["components"]["securitySchemes"]["password"]["flows"]["password"]["scopes"].clone()
        };
        // Not the server's own: no client obtains those in a page.
        assert_eq!(scopes().await, json!({}));
        app.admin.declare_scope(&tester(), "notes:read", "Read your \"notes\"").await.expect("a scope");
        app.add_user("alice", "notes:write").await;
        let expected = json!({ "notes:read": "Read your \"notes\"", "notes:write": "" });
        assert_eq!(scopes().await, expected);
        app.admin.remove_scope(&tester(), "notes:read").await.expect("it was there");
        assert_eq!(scopes().await.get("notes:read"), None);
    }

    async fn every_reference_resolves(database: TestDatabase) {
        let app = App::start(&database).await;
        let body = description(&app).await;
        assert!(body["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{}", body["openapi"]);
        let mut references = Vec::new();
        all(&body, "$ref", &mut references);
        assert!(references.len() > 5, "{references:?}");
        for reference in references {
            let pointer = reference.as_str().and_then(|text| text.strip_prefix('#')).expect("a reference within");
            assert!(body.pointer(pointer).is_some(), "{pointer} leads nowhere");
        }
        let schemes = body["components"]["securitySchemes"].as_object().expect("schemes");
        let mut required = Vec::new();
        all(&body["paths"], "security", &mut required);
        let required: BTreeSet<&String> = required
            .iter()
            .flat_map(|list| list.as_array().expect("a list"))
            .flat_map(|one| one.as_object().expect("a requirement").keys())
            .collect();
        // Every required security scheme is defined, and every one that Authorize offers is used.
        assert_eq!(required, schemes.keys().collect());
        let identifiers: Vec<&Value> = operations(&body).map(|(_, _, operation)| &operation["operationId"]).collect();
        let different: HashSet<&Value> = identifiers.iter().copied().collect();
        assert_eq!(identifiers.len(), different.len(), "{identifiers:?}");
    }

    async fn every_route_is_described_or_left_out_on_purpose(database: TestDatabase) {
        let app = App::start(&database).await;
        let body = description(&app).await;
        let described: BTreeSet<(String, &str)> =
            operations(&body).map(|(method, path, _)| (method.to_string(), path)).collect();
        let routes = routes::all();
        for left_out in NOT_DESCRIBED {
            assert!(routes.iter().any(|route| route.path == left_out), "{left_out} no longer exists");
        }
        let of_the_admin_api = routes::of_the_admin_api();
        let expected: BTreeSet<(String, &str)> = routes
            .iter()
            .filter(|route| !NOT_DESCRIBED.contains(&route.path))
            .map(|route| (route.method.to_string(), route.path))
            .chain(of_the_admin_api.iter().map(|(method, path)| (method.clone(), path.as_str())))
            .collect();
        assert_eq!(described, expected);
    }

    async fn responses_match_their_description(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "notes:read").await;
        let client = app.add_client("app", |_| ()).await;
        let tokens = app.login_as(&client, "alice").await;
        let body = description(&app).await;
        let me: Value = app.get_with("/users/me", &tokens.access).await.json().await.expect("it is JSON");
        let form = [("token", tokens.access.as_str())];
        let seen: Value = app.post_as(&client, "/introspect", &form).await.json().await.expect("it is JSON");
        let refused: Value = app.post("/token", &[]).await.json().await.expect("it is JSON");
        let json = async |path: &str| app.get(path).await.json::<Value>().await.expect("it is JSON");
        let keys = json("/.well-known/jwks.json").await;
        let answers = [
            ("Me", me),
            ("TokenResponse", tokens.body.clone()),
            ("IntrospectResponse", seen),
            ("OAuthError", refused),
            ("Jwk", keys["keys"][0].clone()),
            ("JwkSet", keys),
            ("ServerMetadata", json("/.well-known/oauth-authorization-server").await),
            ("ResourceMetadata", json("/.well-known/oauth-protected-resource").await),
            ("DenylistPage", json("/denylist").await),
            ("Health", json("/health/ready").await),
        ];
        for (schema, answer) in answers {
            let schema = &body["components"]["schemas"][schema];
            let required = schema["required"].as_array().expect("required members");
            let members = answer.as_object().expect("an object");
            assert!(required.iter().all(|name| members.contains_key(name.as_str().expect("a name"))), "{schema} {answer}");
            for (name, value) in members {
                let kind = &schema["properties"][name]["type"];
                let is = match value {
                    Value::String(_) => "string",
                    Value::Number(_) => "integer",
                    Value::Bool(_) => "boolean",
                    Value::Array(_) => "array",
                    Value::Object(_) | Value::Null => "object",
                };
                let fits = kind == is || kind.as_array().is_some_and(|kinds| kinds.contains(&is.into()));
                assert!(fits, "{name} is described as {kind} and is {value}");
            }
        }
    }

    /// What generators and linters stumbled over.
    async fn the_description_is_one_that_generators_understand(database: TestDatabase) {
        let app = App::start(&database).await;
        let body = description(&app).await;
        let schemas = body["components"]["schemas"].as_object().expect("schemas");
        assert!(!schemas.contains_key("Error"), "languages have one of their own");
        for form in ["TokenRequest", "RevokeRequest", "IntrospectRequest"] {
            let members = schemas[form]["properties"].as_object().expect("members");
            assert!(members.values().all(|member| member["type"] == "string"), "a form has no null: {form}");
        }
        let grants = json!(["password", "refresh_token", "client_credentials"]);
        assert_eq!(schemas["TokenRequest"]["properties"]["grant_type"]["enum"], grants);
        for (method, path, operation) in operations(&body) {
            let what = format!("{method} {path}");
            assert!(operation["security"].is_array(), "{what}: it says whether it is open");
            let is_basic = matches!(path, "/token" | "/revoke" | "/introspect" | "/denylist");
            let has_basic = operation["security"].to_string().contains("basic");
            assert_eq!(has_basic, is_basic, "{what}");
            for (status, response) in operation["responses"].as_object().expect("responses") {
                let is_empty = matches!(status.as_str(), "204" | "304") || path == "/api/v1/events";
                assert!(is_empty || response["content"].is_object(), "{what} {status}: it has a body");
            }
        }
    }
}
