//! `/verify`: what a proxy is told about a token.

use std::net::SocketAddr;
use std::time::Duration;

use ficha_server::GateBind;
use ficha_store::testing::TestDatabase;
use ficha_testing::{App, eventually, tester};
use reqwest::Method;
use reqwest::header::AUTHORIZATION;

/// A server with a gate, and the user alice.
pub async fn app(database: &TestDatabase) -> App {
    app_at(database, any_port()).await
}

/// A free port.
pub fn any_port() -> GateBind {
    GateBind::Address(SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// The same, with its gate there.
pub async fn app_at(database: &TestDatabase, bind: GateBind) -> App {
    let app = App::start_with(database, |options| {
        options.server.gate_bind = Some(bind);
        options.settings.token.audience = Some("notes".into());
    })
    .await;
    app.add_user("alice", "notes:read").await;
    app
}

fn gate(app: &App) -> String {
    format!("http://{}", app.gate.as_ref().expect("a gate"))
}

ficha_store::on_both_databases! {
    async fn a_valid_token_is_admitted_with_whose_it_is_and_a_revoked_one_is_not(database: TestDatabase) {
        let app = app(&database).await;
        let tokens = app.login("alice").await;
        let ask = async |query: &str, token: &str| {
            let request = app.http.get(format!("{}/verify?{query}", gate(&app))).bearer_auth(token);
            request.send().await.expect("an answer")
        };
        let admitted = ask("audience=notes&scope=notes:read", &tokens.access).await;
        assert_eq!(admitted.status(), 204);
        let claims = tokens.claims();
        for (name, claim) in [
            ("x-auth-subject", "sub"), ("x-auth-client", "client_id"), ("x-auth-scope", "scope"), ("x-auth-session", "sid"),
        ] {
            assert_eq!(admitted.headers()[name].to_str().ok(), claims[claim].as_str(), "{name}");
        }
        assert_eq!(admitted.headers()["cache-control"], "no-store");
        for (query, status, told) in [
            ("audience=other", 401, "another audience"), ("audience=notes&scope=notes:write", 403, "scope=\"notes:write\""),
        ] {
            let refused = ask(query, &tokens.access).await;
            let challenge = refused.headers()["www-authenticate"].to_str().expect("text").to_owned();
            assert!(refused.status() == status && challenge.contains(told), "{query}: {challenge}");
            assert!(!refused.headers().contains_key("x-auth-subject"));
        }
        for query in ["", "scope=notes:read", "audience=notes&scop=x", "audience=notes&audience=notes"] {
            assert_eq!(ask(query, &tokens.access).await.status(), 400, "{query}");
        }
        // Envoy, which asks like this, admits with 200 alone.
        assert_eq!(ask("audience=notes&request=/notes?audience=x&scope=y", &tokens.access).await.status(), 200);
        // The headers are those of another request, whose body is not sent.
        let request = app.http.post(format!("{}/verify?audience=notes", gate(&app))).bearer_auth(&tokens.access);
        let encoded = request.header("content-encoding", "gzip").send().await.expect("an answer");
        assert_eq!(encoded.status(), 204);
        app.admin.revoke_user(&tester(), "alice").await.expect("they end");
        let refused = ask("audience=notes", &tokens.access).await;
        assert_eq!(refused.status(), 401);
        assert!(refused.headers()["www-authenticate"].to_str().is_ok_and(|text| text.contains("revoked")));
    }

    async fn what_is_no_token_is_refused_with_any_method(database: TestDatabase) {
        let app = app(&database).await;
        let tokens = app.login("alice").await;
        let url = format!("{}/verify?audience=notes", gate(&app));
        for method in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS] {
            let ask = |header: &str| app.http.request(method.clone(), &url).header(AUTHORIZATION, header).send();
            assert_eq!(ask(&format!("Bearer {}", tokens.access)).await.expect("an answer").status(), 204, "{method}");
            for (header, status) in [("Bearer x", 401), ("Basic YTpi", 401), ("Bearer", 400), (&format!("Bearer {}", tokens.refresh), 401)] {
                assert_eq!(ask(header).await.expect("an answer").status(), status, "{method} {header}");
            }
            let none = app.http.request(method.clone(), &url).send().await.expect("an answer");
            assert_eq!((none.status().as_u16(), &none.headers()["www-authenticate"]), (401, &"Bearer realm=\"ficha\"".parse().expect("a value")));
        }
    }

    async fn without_its_database_it_does_not_vouch(database: TestDatabase) {
        let app = app(&database).await;
        let tokens = app.login("alice").await;
        let ask = async || {
            let request = app.http.get(format!("{}/verify?audience=notes", gate(&app))).bearer_auth(&tokens.access);
            request.send().await.expect("an answer")
        };
        assert_eq!(ask().await.status(), 204);
        let raw = database.raw().await;
        raw.take_away("denylist_head").await;
        app.clock.advance(Duration::from_secs(3));
        let refused = ask().await;
        assert_eq!(refused.status(), 503);
        assert!(refused.headers().contains_key("retry-after") && !refused.headers().contains_key("www-authenticate"));
        raw.give_back("denylist_head").await;
        eventually("it vouches again", async || ask().await.status() == 204).await;
    }

    async fn the_gate_is_at_its_own_address_alone_and_has_nothing_else(database: TestDatabase) {
        let app = app(&database).await;
        assert_eq!(app.get("/verify?audience=notes").await.status(), 404);
        for (path, status) in [("/health/ready", 200), ("/token", 404), ("/metrics", 404), ("/api/v1/me", 404), ("/console", 404)] {
            let answer = app.http.get(format!("{}{path}", gate(&app))).send().await.expect("an answer");
            assert_eq!(answer.status(), status, "{path}");
        }
    }
}
