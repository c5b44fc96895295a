//! Granted scopes (RFC 6749 §3.3, §6) and audiences.

use std::time::Duration;

use ficha_authority::{ClientScopes, NewClient};
use ficha_store::testing::TestDatabase;

use ficha_testing::{App, Client, ISSUER, PASSWORD, Tokens, error};

fn only(scopes: &str) -> impl FnOnce(&mut NewClient) {
    move |new| new.scopes = ClientScopes::Only(scopes.parse().expect("a valid scope"))
}

/// Logs alice in through a client, asking for a scope.
async fn ask(app: &App, client: &Client, scope: &str) -> reqwest::Response {
    let form = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD), ("scope", scope)];
    app.post_as(client, "/token", &form).await
}

async fn ask_for_itself(app: &App, client: &Client, scope: &str) -> reqwest::Response {
    app.post_as(client, "/token", &[("grant_type", "client_credentials"), ("scope", scope)]).await
}

async fn refresh(app: &App, client: &Client, token: &str, scope: &str) -> reqwest::Response {
    let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)];
    app.post_as(client, "/token", &form).await
}

async fn granted(response: reqwest::Response) -> String {
    let tokens = Tokens::of(response).await;
    let scope = tokens.body["scope"].as_str().expect("the response says what was granted").to_owned();
    assert_eq!(tokens.claims()["scope"], scope.as_str(), "the token says the same");
    scope
}

ficha_store::on_both_databases! {
    async fn a10_the_response_names_the_scope_and_the_default_is_all_but_the_servers_own(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "ficha:admin notes:read notes:write").await;
        app.add_user("bob", "").await;
        app.add_user("root", "ficha:admin").await;
        let any = app.add_client("any", |_| ()).await;
        let some = app.add_client("some", only("notes:write other ficha:admin")).await;
        assert_eq!(granted(ask(&app, &any, "").await).await, "notes:read notes:write");
        assert_eq!(granted(ask(&app, &some, "").await).await, "notes:write");
        assert_eq!(granted(ask(&app, &any, "notes:write notes:read notes:read").await).await, "notes:read notes:write");
        assert_eq!(granted(ask_for_itself(&app, &some, "").await).await, "notes:write other");
        // `any` means everything the user has; without a user it means nothing.
        assert_eq!(granted(ask_for_itself(&app, &any, "").await).await, "");
        for name in ["bob", "root"] {
            assert_eq!(app.login_as(&any, name).await.body["scope"], "", "{name}");
        }
    }

    async fn a11_a_malformed_or_unknown_scope_is_invalid_scope_in_every_grant(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "notes:read").await;
        let client = app.add_client("shop", only("notes:read")).await;
        let tokens = app.login_as(&client, "alice").await;
        let long = "x".repeat(2049);
        for scope in [
            " ",
            "notes:read ",
            " notes:read",
            "notes:read  notes:read",
            "notes:read\tx",
            "notes:read\n",
            "\"",
            "\\",
            "é",
            "🔑",
            "\0",
            "notes:read\u{a0}x",
            &long,
            "nope",
            "notes:read nope",
            "NOTES:READ",
            "notes",
            "ficha:admin",
            "*",
        ] {
            error(ask(&app, &client, scope).await, 400, "invalid_scope").await;
            error(ask_for_itself(&app, &client, scope).await, 400, "invalid_scope").await;
            error(refresh(&app, &client, &tokens.refresh, scope).await, 400, "invalid_scope").await;
        }
        assert_eq!(refresh(&app, &client, &tokens.refresh, "notes:read").await.status(), 200);
    }

    async fn granted_scopes_are_within_the_users_and_the_clients(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "notes:read notes:write").await;
        let client = app.add_client("shop", only("notes:read stock:read")).await;
        assert_eq!(granted(ask(&app, &client, "notes:read").await).await, "notes:read");
        error(ask(&app, &client, "notes:write").await, 400, "invalid_scope").await;
        error(ask(&app, &client, "stock:read").await, 400, "invalid_scope").await;
        error(ask(&app, &client, "notes:read notes:write").await, 400, "invalid_scope").await;
        assert_eq!(granted(ask_for_itself(&app, &client, "stock:read").await).await, "stock:read");
        error(ask_for_itself(&app, &client, "notes:write").await, 400, "invalid_scope").await;
        // With a wrong password, the response does not disclose which scopes are allowed.
        let form = [("grant_type", "password"), ("username", "alice"), ("password", "x"), ("scope", "notes:write")];
        error(app.post_as(&client, "/token", &form).await, 400, "invalid_grant").await;
    }

    async fn a24_a_refresh_can_narrow_but_not_widen_and_the_next_one_has_it_all_again(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "notes:read notes:write notes:delete").await;
        let client = app.add_client("shop", |_| ()).await;
        let first = Tokens::of(ask(&app, &client, "notes:read notes:write").await).await;
        // Asking for more is rejected and does not use up the token, however often.
        for more in ["notes:delete", "notes:read notes:write notes:delete", "ficha:admin", "nope"] {
            error(refresh(&app, &client, &first.refresh, more).await, 400, "invalid_scope").await;
        }
        let narrow = Tokens::of(refresh(&app, &client, &first.refresh, "notes:read").await).await;
        assert_eq!(
            (narrow.body["scope"].as_str(), narrow.claims()["scope"].as_str()),
            (Some("notes:read"), Some("notes:read"))
        );
        app.advance(Duration::from_secs(60)).await;
        let whole = Tokens::of(refresh(&app, &client, &narrow.refresh, "").await).await;
        assert_eq!(whole.body["scope"], "notes:read notes:write");
        let named = Tokens::of(refresh(&app, &client, &whole.refresh, "notes:write notes:read").await).await;
        assert_eq!(named.body["scope"], "notes:read notes:write");
    }

    async fn a24_a_retry_that_asks_for_more_is_refused_and_one_that_narrows_is_not(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "notes:read notes:write").await;
        let client = app.add_client("shop", |_| ()).await;
        let first = Tokens::of(ask(&app, &client, "notes:read").await).await;
        let renewed = Tokens::of(refresh(&app, &client, &first.refresh, "").await).await;
        error(refresh(&app, &client, &first.refresh, "notes:write").await, 400, "invalid_scope").await;
        let retried = Tokens::of(refresh(&app, &client, &first.refresh, "notes:read").await).await;
        assert_eq!(retried.refresh, renewed.refresh);
        assert_eq!(app.me(&renewed.access).await, 200);
    }

    async fn the_servers_own_scopes_must_be_named_and_are_for_the_server_alone(database: TestDatabase) {
        let app = App::start_with(&database, |options| options.settings.token.audience = Some("api".into())).await;
        app.add_user("alice", "ficha:admin notes:read").await;
        let client = app
            .add_client("shop", |new| {
                new.audience = Some("notes".into());
                new.own_scopes = true;
            })
            .await;
        let machine = app
            .add_client("machine", |new| {
                new.audience = Some("notes".into());
                new.own_scopes = true;
                only("ficha:admin notes:read")(new);
            })
            .await;
        for scope in ["ficha:admin", "ficha:admin notes:read"] {
            for response in [ask(&app, &client, scope).await, ask_for_itself(&app, &machine, scope).await] {
                let tokens = Tokens::of(response).await;
                assert_eq!((tokens.body["scope"].as_str(), &tokens.claims()["aud"]), (Some(scope), &ISSUER.into()));
            }
        }
        // A refresh keeps the scope and the audience, narrowed or not.
        let own = Tokens::of(ask(&app, &client, "ficha:admin notes:read").await).await;
        let renewed = Tokens::of(refresh(&app, &client, &own.refresh, "").await).await;
        assert_eq!(
            (renewed.body["scope"].as_str(), &renewed.claims()["aud"]),
            (Some("ficha:admin notes:read"), &ISSUER.into())
        );
        let narrowed = Tokens::of(refresh(&app, &client, &renewed.refresh, "notes:read").await).await;
        assert_eq!(narrowed.claims()["aud"], ISSUER);
        // A scope that was not requested at login can't be obtained later.
        let plain = Tokens::of(ask(&app, &client, "").await).await;
        assert_eq!((plain.body["scope"].as_str(), plain.claims()["aud"].as_str()), (Some("notes:read"), Some("notes")));
        error(refresh(&app, &client, &plain.refresh, "ficha:admin").await, 400, "invalid_scope").await;
    }

    /// Whoever has an administrator's password in an app of a third party does not administer with it.
    async fn only_clients_with_the_flag_obtain_the_servers_own_scopes(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "ficha:admin notes:read").await;
        let any = app.add_client("any", |_| ()).await;
        let named = app.add_client("named", only("ficha:admin ficha:account notes:read")).await;
        for client in [&any, &named] {
            for scope in ["ficha:admin", "ficha:account", "notes:read ficha:admin"] {
                error(ask(&app, client, scope).await, 400, "invalid_scope").await;
            }
            let plain = Tokens::of(ask(&app, client, "").await).await;
            error(refresh(&app, client, &plain.refresh, "ficha:admin").await, 400, "invalid_scope").await;
        }
        error(ask_for_itself(&app, &named, "ficha:admin").await, 400, "invalid_scope").await;
        assert_eq!(granted(ask_for_itself(&app, &named, "").await).await, "notes:read");
        // The server's own client for the command line has the flag, but not in a page.
        let cli = |origin: Option<&'static str>, scope: &'static str| {
            let form = [
                ("grant_type", "password"), ("client_id", "ficha-cli"), ("username", "alice"), ("password", PASSWORD),
                ("scope", scope),
            ];
            let request = app.http.post(app.url("/token")).form(&form);
            let request = if let Some(origin) = origin { request.header("origin", origin) } else { request };
            async move { request.send().await.expect("a response") }
        };
        let own = Tokens::of(cli(None, "ficha:admin").await).await;
        assert_eq!((&own.claims()["aud"], own.body["scope"].as_str()), (&ISSUER.into(), Some("ficha:admin")));
        error(cli(Some("http://localhost:3000"), "ficha:admin").await, 400, "unauthorized_client").await;
        error(cli(None, "notes:read").await, 400, "invalid_scope").await;
        let console = [
            ("grant_type", "password"), ("client_id", "ficha-console"), ("username", "alice"), ("password", PASSWORD),
        ];
        let console = app.http.post(app.url("/token")).form(&console).send().await.expect("a response");
        error(console, 400, "unauthorized_client").await;
        // Without the flag, what it obtained ends.
        let change = ficha_authority::ClientChange { own_scopes: Some(false), ..Default::default() };
        app.admin.change_client(&ficha_testing::tester(), "ficha-cli", change).await.expect("it is there");
        assert_eq!(app.me(&own.access).await, 401);
        error(cli(None, "ficha:admin").await, 400, "invalid_scope").await;
    }

    async fn sessions_with_own_scopes_are_short(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "ficha:admin").await;
        let cli = app.add_client("cli", |new| new.own_scopes = true).await;
        let hours = |count: u64| Duration::from_secs(count * 3_600);
        let mut kept = Tokens::of(ask(&app, &cli, "ficha:admin").await).await;
        let idle = Tokens::of(ask(&app, &cli, "ficha:account").await).await;
        let plain = Tokens::of(ask(&app, &cli, "").await).await;
        app.advance(Duration::from_secs(14 * 60)).await;
        kept = Tokens::of(refresh(&app, &cli, &kept.refresh, "").await).await;
        app.advance(Duration::from_secs(61)).await;
        error(refresh(&app, &cli, &idle.refresh, "").await, 400, "invalid_grant").await;
        for _ in 0..35 {
            app.advance(Duration::from_secs(13 * 60)).await;
            kept = Tokens::of(refresh(&app, &cli, &kept.refresh, "").await).await;
        }
        app.advance(Duration::from_secs(10 * 60)).await;
        error(refresh(&app, &cli, &kept.refresh, "").await, 400, "invalid_grant").await;
        app.advance(hours(24)).await;
        assert_eq!(refresh(&app, &cli, &plain.refresh, "").await.status(), 200);
    }

    async fn a_tokens_audience_is_its_clients_or_else_the_servers_default(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let plain = app.add_client("plain", |_| ()).await;
        let notes = app.add_client("notes-app", |new| new.audience = Some("notes".into())).await;
        assert_eq!(app.login_as(&plain, "alice").await.claims()["aud"], ISSUER);
        assert_eq!(app.login_as(&notes, "alice").await.claims()["aud"], "notes");
        let own = Tokens::of(ask_for_itself(&app, &notes, "").await).await;
        assert_eq!(own.claims()["aud"], "notes");
        let other = app.another_with(&database, |options| options.settings.token.audience = Some("api".into())).await;
        assert_eq!(other.login_as(&plain, "alice").await.claims()["aud"], "api");
        assert_eq!(other.login_as(&notes, "alice").await.claims()["aud"], "notes");
        assert_eq!(other.login_as(&plain, "alice").await.claims()["iss"], ISSUER);
    }
}
