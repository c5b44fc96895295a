//! Authorization server metadata (RFC 8414).

use ficha_authority::{Grant, Issuer, NewClient, OWN_SCOPES};
use ficha_store::testing::TestDatabase;
use reqwest::Response;
use serde_json::{Value, json};

use ficha_testing::{App, Client, ISSUER, Options, PASSWORD, Tokens, client, error, tester};

const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";

fn issuer(text: &'static str) -> impl FnOnce(&mut Options) {
    move |options| options.settings.issuer = Issuer::parse(text).expect("a valid issuer")
}

async fn json(response: Response) -> Value {
    assert_eq!(response.status(), 200, "{}", response.url());
    response.json().await.expect("it is JSON")
}

async fn metadata(app: &App) -> Value {
    json(app.get(WELL_KNOWN).await).await
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().expect("an array").iter().map(|text| text.as_str().expect("a string")).collect()
}

/// The path of an endpoint that the metadata names, below the issuer.
fn path<'m>(metadata: &'m Value, member: &str) -> &'m str {
    let issuer = metadata["issuer"].as_str().expect("an issuer");
    let url = metadata[member].as_str().unwrap_or_else(|| panic!("{member} is there"));
    url.strip_prefix(issuer).unwrap_or_else(|| panic!("{url} is below the issuer"))
}

ficha_store::on_both_databases! {
    async fn a54_an_issuer_with_a_path_has_its_metadata_between_host_and_path(database: TestDatabase) {
        let app = App::start_with(&database, issuer("http://127.0.0.1:8000/tenant/one")).await;
        app.add_user("alice", "notes:read").await;
        let body = json(app.get("/.well-known/oauth-authorization-server/tenant/one").await).await;
        assert_eq!(body["issuer"], "http://127.0.0.1:8000/tenant/one");
        assert_eq!(body["token_endpoint"], "http://127.0.0.1:8000/tenant/one/token");
        // Clients that append the well-known part to the path find it too.
        assert_eq!(json(app.get("/tenant/one/.well-known/oauth-authorization-server").await).await, body);
        assert_eq!(app.get(WELL_KNOWN).await.status(), 404);
        assert_eq!(app.get("/.well-known/oauth-authorization-server/tenant").await.status(), 404);

        let form = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
        let tokens = Tokens::of(app.post("/tenant/one/token", &form).await).await;
        assert_eq!(tokens.claims()["iss"], body["issuer"]);
        assert_eq!(app.get_with("/tenant/one/users/me", &tokens.access).await.status(), 200);
        let keys = json(app.get("/tenant/one/.well-known/jwks.json").await).await;
        assert_eq!(crate::tokens::verify(&tokens.access, &keys).expect("the token is valid")["sub"], tokens.claims()["sub"]);

        for path in ["/token", "/revoke", "/introspect", "/logout"] {
            assert_eq!(app.post(path, &form).await.status(), 404, "{path}");
            assert_ne!(app.post(&format!("/tenant/one{path}"), &form).await.status(), 404, "{path}");
        }
        for path in ["/users/me", "/.well-known/jwks.json", "/openapi.json", "/docs", "/docs/", "/metrics"] {
            assert_eq!(app.get(path).await.status(), 404, "{path}");
            assert_ne!(app.get(&format!("/tenant/one{path}")).await.status(), 404, "{path}");
        }
        // Monitoring does not know the issuer's path.
        for path in ["/health/live", "/health/ready"] {
            assert_eq!(app.get(path).await.status(), 200, "{path}");
            assert_eq!(app.get(&format!("/tenant/one{path}")).await.status(), 200, "{path}");
        }

        assert_eq!(app.get("/tenant/one/docs").await.headers()["location"], "/tenant/one/docs/");
        let page = app.get("/tenant/one/docs/swagger-initializer.js").await.text().await.expect("a script");
        assert!(page.contains("\"/tenant/one/openapi.json\""), "{page}");
        let description = json(app.get("/tenant/one/openapi.json").await).await;
        assert_eq!(description["servers"], json!([{ "url": "/tenant/one" }]));
        let flow = &description["components"]["securitySchemes"]["password"]["flows"]["password"];
        assert_eq!(flow["tokenUrl"], "/tenant/one/token");
        assert!(description["paths"]["/token"].is_object(), "the paths are below the server's url");
        error(app.get("/tenant/one/nothing").await, 404, "invalid_request").await;
        error(app.get("/tenant/onetoken").await, 404, "invalid_request").await;
    }

    async fn a54_an_issuer_whose_path_can_be_written_in_two_ways_is_refused(database: TestDatabase) {
        for bad in ["https://a.example/a%20b", "https://a.example/é", "https://a.example/{x}", "https://a.example/a/../b",
                    "https://a.example//b", "https://a.example/a//b", "https://a.example\\b"] {
            let why = Issuer::parse(bad).expect_err(bad).to_string();
            assert!(why.contains("its path"), "{why}");
        }
        let app = App::start_with(&database, issuer("http://127.0.0.1:8000/A-1/b_2.c/~d")).await;
        let body = json(app.get("/.well-known/oauth-authorization-server/A-1/b_2.c/~d").await).await;
        assert_eq!(app.get(&body["jwks_uri"].as_str().expect("a URL")["http://127.0.0.1:8000".len()..]).await.status(), 200);
    }

    async fn a55_the_issuer_is_exactly_the_configured_one(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        app.add_client("app", |new| new.public = true).await;
        for text in [ISSUER, "http://localhost:8000", "https://auth.example.com", "https://auth.example.com:8443"] {
            let app = app.another_with(&database, issuer(text)).await;
            let body = metadata(&app).await;
            assert_eq!(body["issuer"], text);
            assert_eq!(body["token_endpoint"], format!("{text}/token"));
            let form =
                [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD), ("client_id", "app")];
            let tokens = Tokens::of(app.post("/token", &form).await).await;
            assert_eq!(tokens.claims()["iss"], text);
            assert_eq!(app.me(&tokens.access).await, 200);
        }
    }

    async fn a55_an_issuer_with_a_query_or_a_fragment_is_refused(_database: TestDatabase) {
        for bad in ["https://auth.example.com?a=b", "https://auth.example.com/x#y", "https://auth.example.com/?"] {
            let why = Issuer::parse(bad).expect_err(bad).to_string();
            assert!(why.contains("server.issuer") && why.contains(bad), "{why}");
        }
    }

    async fn a56_the_advertised_grant_types_are_the_ones_that_work(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let client = app.add_client("app", |_| ()).await;
        let body = metadata(&app).await;
        let mut named = texts(&body["grant_types_supported"]);
        named.sort_unstable();
        assert_eq!(named, ["client_credentials", "password", "refresh_token"]);
        let refresh = app.login_as(&client, "alice").await.refresh;
        for grant in named {
            let form = [
                ("grant_type", grant), ("username", "alice"), ("password", PASSWORD), ("refresh_token", &refresh),
            ];
            Tokens::of(app.post_as(&client, path(&body, "token_endpoint"), &form).await).await;
        }
        for grant in ["authorization_code", "implicit", "urn:ietf:params:oauth:grant-type:device_code",
                      "urn:ietf:params:oauth:grant-type:token-exchange", "PASSWORD"] {
            error(app.post_as(&client, "/token", &[("grant_type", grant)]).await, 400, "unsupported_grant_type").await;
        }
    }

    async fn a57_no_member_is_an_empty_array(database: TestDatabase) {
        fn assert_full(value: &Value, at: &str) {
            match value {
                Value::Array(items) => assert!(!items.is_empty(), "{at} is empty"),
                Value::Object(members) => members.iter().for_each(|(name, value)| assert_full(value, &format!("{at}/{name}"))),
                Value::Null => panic!("{at} is null"),
                _ => (),
            }
        }
        let app = App::start(&database).await;
        let body = metadata(&app).await;
        assert_full(&body, "");
        assert_eq!(texts(&body["scopes_supported"]), OWN_SCOPES.map(|(name, _)| name));
        // Without any scope, the member must be omitted.
        database.store().await.run_sql("DELETE FROM scopes").await.expect("the scopes can be deleted");
        let body = metadata(&app).await;
        assert_full(&body, "");
        assert_eq!(body.get("scopes_supported"), None);
    }

    async fn a58_the_authentication_methods_of_each_endpoint_are_listed_and_work(database: TestDatabase) {
        let app = App::start(&database).await;
        let confidential = app.add_client("app", |_| ()).await;
        let public = app.add_client("page", |new: &mut NewClient| new.public = true).await;
        let body = metadata(&app).await;
        for (endpoint, allows_public) in [("token", true), ("revocation", true), ("introspection", false)] {
            let methods = texts(&body[format!("{endpoint}_endpoint_auth_methods_supported")]);
            let expected: &[&str] = match allows_public {
                true => &["client_secret_basic", "client_secret_post", "none"],
                false => &["client_secret_basic", "client_secret_post"],
            };
            assert_eq!(methods, expected, "{endpoint}");
            let path = path(&body, &format!("{endpoint}_endpoint"));
            let form = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("token", "x")];
            // An unauthenticated client gets an error about that; an authenticated one gets as far as the token.
            let known = |response: Response| response.status() != 401;
            let send = async |client: &Client, secret: &str| {
                let mut form = form.to_vec();
                form.extend([("client_id", client.id.as_str()), ("client_secret", secret)]);
                app.post(path, &form).await
            };
            assert!(known(app.post_as(&confidential, path, &form).await), "client_secret_basic at {endpoint}");
            assert!(known(send(&confidential, &confidential.secret).await), "client_secret_post at {endpoint}");
            assert_eq!(known(send(&public, "").await), allows_public, "none at {endpoint}");
            assert!(!known(send(&confidential, "wrong").await), "a wrong secret at {endpoint}");
            assert!(!known(send(&confidential, "").await), "a confidential client without its secret at {endpoint}");
        }
    }

    async fn a59_nothing_is_advertised_that_does_not_exist(database: TestDatabase) {
        let app = App::start(&database).await;
        app.admin.declare_scope(&tester(), "notes:read", "Read your notes").await.expect("a scope");
        let body = metadata(&app).await;
        let mut members: Vec<&str> = body.as_object().expect("an object").keys().map(String::as_str).collect();
        members.sort_unstable();
        // Add new members here.
        assert_eq!(members, [
            "denylist_endpoint", "grant_types_supported", "introspection_endpoint", "introspection_endpoint_auth_methods_supported", "issuer",
            "jwks_uri", "revocation_endpoint", "revocation_endpoint_auth_methods_supported", "scopes_supported",
            "service_documentation", "token_endpoint", "token_endpoint_auth_methods_supported",
        ]);
        let followed = client();
        for (member, get) in [
            ("token_endpoint", false), ("revocation_endpoint", false), ("introspection_endpoint", false),
            ("jwks_uri", true), ("service_documentation", true), ("denylist_endpoint", true),
        ] {
            let mut url = app.url(path(&body, member));
            if get {
                let first = followed.get(&url).send().await.expect("the server answers");
                if first.status() == 303 {
                    url = app.url(first.headers()["location"].to_str().expect("a path"));
                }
                assert_eq!(followed.get(&url).send().await.expect("the server answers").status(), 200, "{member}");
            } else {
                let response = app.post(path(&body, member), &[("grant_type", "x")]).await;
                let status = response.status().as_u16();
                assert!(status == 400 || status == 401, "{member} answers {status}");
            }
        }
        let own = OWN_SCOPES.iter().map(|(name, _)| *name);
        assert_eq!(texts(&body["scopes_supported"]), own.chain(["notes:read"]).collect::<Vec<_>>());
        app.add_user("alice", "notes:read").await;
        let form = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD), ("scope", "notes:read")];
        assert_eq!(Tokens::of(app.post("/token", &form).await).await.body["scope"], "notes:read");
    }

    async fn metadata_and_keys_may_be_cached_for_as_long_as_rotation_allows_for(database: TestDatabase) {
        let app = App::start(&database).await;
        for path in [WELL_KNOWN, "/.well-known/jwks.json"] {
            let response = app.get(path).await;
            let expected = format!("public, max-age={}", ficha_authority::JWKS_MAX_AGE);
            assert_eq!(response.headers()["cache-control"], expected, "{path}");
        }
        // RFC 8414 §3.2
        assert_eq!(app.get(WELL_KNOWN).await.headers()["content-type"], "application/json");
    }

    async fn without_a_default_client_a_request_must_name_one_and_the_page_presets_none(database: TestDatabase) {
        let app = App::start_with(&database, issuer("https://auth.example.com")).await;
        app.add_user("alice", "").await;
        let public = app.add_client("page", |new| { new.public = true; new.grants = vec![Grant::Password]; }).await;
        let mut form = vec![("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
        error(app.post("/token", &form).await, 401, "invalid_client").await;
        form.push(("client_id", &public.id));
        Tokens::of(app.post("/token", &form).await).await;
        let page = app.get("/docs/swagger-initializer.js").await.text().await.expect("a script");
        assert!(!page.contains("first-party"), "{page}");
    }
}
