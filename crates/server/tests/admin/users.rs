//! Users over HTTP.

use std::time::Duration;

use ficha_store::testing::TestDatabase;
use ficha_testing::{App, PASSWORD, Tokens, error, eventually, tester};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::*;

const NEW: &str = "eleven loud geese march by";

async fn post(app: &App, path: &str, token: &str, body: &Value) -> Response {
    let url = app.url(&format!("/api/v1{path}"));
    app.http.post(url).bearer_auth(token).json(body).send().await.expect("an answer")
}

async fn patch(app: &App, path: &str, token: &str, body: &Value) -> Response {
    let url = app.url(&format!("/api/v1{path}"));
    app.http.patch(url).bearer_auth(token).json(body).send().await.expect("an answer")
}

/// The answer of a request that must succeed.
async fn done(response: Response) -> Value {
    let (status, body) = (response.status(), response.text().await.expect("a body"));
    assert!(status.is_success(), "{status}: {body}");
    serde_json::from_str(&body).expect("JSON")
}

async fn log_in(app: &App, name: &str, password: &str) -> Response {
    let form = [("grant_type", "password"), ("username", name), ("password", password)];
    app.post("/token", &form).await
}

ficha_store::on_both_databases! {
    async fn a_user_is_shown_with_failed_logins_and_whether_they_are_throttled(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:users").await.access;
        let shown = async || {
            let response = send(&app, Method::GET, "/users/alice", &chief).await;
            let tag = response.headers()["etag"].clone();
            (tag, response.json::<Value>().await.expect("JSON")["failed_logins"].clone())
        };
        let none = json!({ "failures": 0, "sources": 0, "last_at": null, "throttled": 0, "blocked": false });
        let (tag, before) = shown().await;
        assert_eq!(before, none);
        let wrong = [("grant_type", "password"), ("username", "alice"), ("password", "wrong")];
        for _ in 0..9 {
            assert_eq!(app.post("/token", &wrong).await.status(), 400);
        }
        let (_, slow) = shown().await;
        assert_eq!((&slow["failures"], &slow["sources"], &slow["throttled"]), (&json!(9), &json!(1), &json!(0)), "{slow}");
        assert!(slow["last_at"].is_string(), "{slow}");
        assert_eq!(app.post("/token", &wrong).await.status(), 400);
        let (now, throttled) = shown().await;
        assert_eq!((&throttled["throttled"], &throttled["blocked"]), (&json!(1), &json!(false)), "{throttled}");
        assert_eq!(now, tag, "the user was not changed");
        // In a list it would cost a query for each.
        let list = good(&app, Method::GET, "/users?name=alice", &chief).await;
        assert!(list["items"][0].get("failed_logins").is_none(), "{list}");
        send(&app, Method::POST, "/users/alice/unlock", &chief).await;
        assert_eq!(shown().await.1, none);
    }

    async fn a_new_name_is_stored_in_its_normal_form_and_what_can_not_be_seen_is_refused(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:users").await.access;
        let new = |name: &str| json!({ "name": name, "password": PASSWORD, "scopes": [] });
        let made = done(post(&app, "/users", &chief, &new("Zoe\u{308}")).await).await;
        assert_eq!(made["name"], "Zo\u{eb}");
        problem(post(&app, "/users", &chief, &new("Zo\u{eb}")).await, 409, "taken").await;
        let found = good(&app, Method::GET, "/users?name=zo%C3%AB", &chief).await;
        assert_eq!(ids(&found).len(), 1);
        for (name, why) in [("al\u{200b}ice", "U+200B"), ("\u{202e}ecila", "U+202E"), ("\u{5e9}a", "right-to-left")] {
            let refused = problem(post(&app, "/users", &chief, &new(name)).await, 400, "invalid").await;
            assert!(refused["detail"].as_str().expect("why").contains(why), "{refused}");
        }
    }

    async fn names_that_look_the_same_stay_two_users_of_whom_each_has_the_exact_name(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:users").await.access;
        // As a server of the release before has left them.
        let (composed, parts) = ("Ren\u{e9}e", "Rene\u{301}e");
        let one = app.add_user(composed, "").await;
        let two = app.add_user("second", "").await;
        let rename = format!("UPDATE users SET name = '{parts}' WHERE name = 'second'");
        database.raw().await.execute(&rename).await;
        let alone = app.login(parts).await.claims()["sub"].clone();
        assert_eq!(alone, two.to_string(), "exactly");
        // The next start completes what such a server has left out.
        let app = app.end().await.start(&database).await;
        eventually("it is ready", async || app.get("/health/ready").await.status() == 200).await;
        let subject = async |name: &str| Tokens::of(log_in(&app, name, PASSWORD).await).await.claims()["sub"].clone();
        assert_eq!((subject(composed).await, subject(parts).await), (one.to_string().into(), two.to_string().into()));
        // Another spelling is that of neither.
        error(log_in(&app, "\u{ff32}en\u{e9}e", PASSWORD).await, 400, "invalid_grant").await;
        let delete = async |name: &str| {
            let path = format!("/api/v1/users/{}", url::form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>());
            app.http.delete(app.url(&path)).bearer_auth(&chief).send().await.expect("an answer")
        };
        assert_eq!(delete(composed).await.status(), 200);
        // A repeated request must not reach the other one.
        let again = problem(delete(composed).await, 404, "not-found").await;
        assert!(again["detail"].as_str().expect("why").contains(&two.to_string()), "{again}");
        assert_eq!(subject(parts).await, two.to_string());
        // Now there is one with that normal form: who types it is found, and nobody new gets it.
        assert_eq!(subject(composed).await, two.to_string());
        let new = json!({ "name": composed, "password": PASSWORD, "scopes": [] });
        problem(post(&app, "/users", &chief, &new).await, 409, "taken").await;
    }

    async fn a_list_of_scopes_with_commas_is_questioned_and_any_is_reserved(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:admin").await.access;
        for (scope, why) in [("notes:read,notes:write", "did you mean"), ("any", "reserved")] {
            let new = json!({ "name": "bob", "password": PASSWORD, "scopes": ["fresh:scope", scope] });
            let refused = problem(post(&app, "/users", &chief, &new).await, 400, "invalid").await;
            assert!(refused["detail"].as_str().expect("why").contains(why), "{refused}");
        }
        let scopes = good(&app, Method::GET, "/scopes", &chief).await;
        assert!(!scopes.to_string().contains("fresh:scope"), "nothing was declared: {scopes}");
    }

    async fn a_user_is_created_found_changed_and_deleted(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:users").await.access;
        let new = json!({ "name": "bob", "email": "bob@example.com", "password": PASSWORD, "scopes": ["notes:read"], "roles": ["editor"] });
        // A scope that was never declared is not made by who may not.
        problem(post(&app, "/users", &chief, &json!({ "name": "x", "scopes": ["new:scope"] })).await, 403, "forbidden").await;
        let response = post(&app, "/users", &chief, &new).await;
        assert_eq!(response.status(), 201);
        let location = response.headers()["location"].to_str().expect("text").to_owned();
        let bob = done(response).await;
        let path = format!("/users/{}", bob["id"].as_str().expect("an id"));
        assert!(location.ends_with(&format!("/api/v1{path}")), "{location}");
        assert_eq!((&bob["must_change"], &bob["enabled"], &bob["scopes"]), (&json!(false), &json!(true), &json!(["ficha:account", "notes:read"])));
        assert!(bob.get("password").is_none() && !bob.to_string().contains("otters"));
        problem(post(&app, "/users", &chief, &new).await, 409, "taken").await;
        for query in ["name=BO", "email=Example", "role=editor&enabled=true", "scope=notes:read&name=bob"] {
            let found = good(&app, Method::GET, &format!("/users?{query}"), &chief).await;
            assert_eq!(ids(&found), [bob["id"].as_str().expect("an id")], "{query}");
        }
        for none in ["name=nobody", "enabled=false", "created_before=2001-01-01T00:00:00Z"] {
            assert_eq!(ids(&good(&app, Method::GET, &format!("/users?{none}"), &chief).await), [""; 0], "{none}");
        }
        // Pages lead forth and back.
        let all = ids(&good(&app, Method::GET, "/users", &chief).await);
        let first = good(&app, Method::GET, "/users?limit=1", &chief).await;
        let next = good(&app, Method::GET, &format!("/users?limit=9&after={}", first["next"].as_str().expect("more")), &chief).await;
        assert_eq!([ids(&first), ids(&next)].concat(), all);
        let back = good(&app, Method::GET, &format!("/users?limit=9&before={}", next["previous"].as_str().expect("a page")), &chief).await;
        assert_eq!(ids(&back), ids(&first));
        // Less than a session has ends it; more does not.
        let session = app.login("bob").await;
        let changed = done(patch(&app, &path, &chief, &json!({ "email": null, "roles": ["editor", "author"] })).await).await;
        assert_eq!((&changed["email"], &changed["revoked"]), (&Value::Null, &json!(0)));
        assert_eq!(app.me(&session.access).await, 200);
        let changed = done(patch(&app, &path, &chief, &json!({ "scopes": ["ficha:account"] })).await).await;
        assert_eq!((&changed["revoked"], &changed["roles"]), (&json!(1), &json!(["editor", "author"])));
        assert_eq!(app.me(&session.access).await, 401);
        for (action, member) in [("disable", "revoked"), ("enable", "revoked"), ("unlock", "cleared"), ("revoke-sessions", "revoked")] {
            let answer = done(post(&app, &format!("{path}/{action}"), &chief, &json!({})).await).await;
            assert_eq!(answer[member], 0, "{action}");
        }
        let receipt = post(&app, &format!("{path}/revoke-sessions?wait=0"), &chief, &json!({})).await;
        assert_eq!(done(receipt).await["receipt"]["complete"], true);
        good(&app, Method::DELETE, &path, &chief).await;
        problem(send(&app, Method::GET, &path, &chief).await, 404, "not-found").await;
        let all_of_it = token(&app, "chief", "ficha:admin").await.access;
        let erased = done(post(&app, &format!("{path}/erase"), &all_of_it, &json!({})).await).await;
        assert!(erased["events"].as_u64().expect("a number") > 0);
    }

    async fn what_is_not_understood_changes_nothing(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:users").await.access;
        let alice = good(&app, Method::GET, "/users?name=alice", &chief).await["items"][0].clone();
        let path = format!("/users/{}", alice["id"].as_str().expect("an id"));
        for bad in [
            json!({ "nosuch": 1 }), json!({ "enabled": "yes" }), json!({ "scopes": ["a b"] }), json!({ "roles": [""] }), json!({ "roles": ["x".repeat(5_000)] }),
            json!({ "email": "" }), json!({ "email": "a\u{1b}b" }), json!({ "scopes": null, "name": "bob" }), json!([]),
        ] {
            problem(patch(&app, &path, &chief, &bad).await, 400, "invalid").await;
        }
        for bad in [
            json!({}), json!({ "name": "" }), json!({ "name": "x", "password": "short" }), json!({ "name": "x", "password_hash": "what" }),
            json!({ "name": "x", "password": PASSWORD, "password_hash": "what" }), json!({ "name": " x" }),
        ] {
            problem(post(&app, "/users", &chief, &bad).await, 400, "invalid").await;
        }
        let url = app.url(&format!("/api/v1{path}"));
        let form = app.http.patch(&url).bearer_auth(&chief).form(&[("enabled", "false")]).send().await.expect("an answer");
        problem(form, 400, "invalid").await;
        let secret = problem(post(&app, &format!("{path}/password"), &chief, &json!({ "password": ["seven secrets"] })).await, 400, "invalid").await;
        assert!(!secret.to_string().contains("seven secrets"));
        let mut shown = good(&app, Method::GET, &path, &chief).await;
        shown.as_object_mut().expect("an object").remove("failed_logins");
        assert_eq!(shown, alice);
    }

    async fn a_change_can_name_the_version_that_it_is_about(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:users").await.access;
        let id = ids(&good(&app, Method::GET, "/users?name=alice", &chief).await)[0].clone();
        let path = format!("/users/{id}");
        let tag = send(&app, Method::GET, &path, &chief).await.headers()["etag"].to_str().expect("text").to_owned();
        let put = async |tag: &str, email: &str| {
            let url = app.url(&format!("/api/v1{path}"));
            let request = app.http.patch(url).bearer_auth(&chief).header("if-match", tag);
            request.json(&json!({ "email": email })).send().await.expect("an answer")
        };
        let first = put(&tag, "one@example.com").await;
        let second = first.headers()["etag"].to_str().expect("text").to_owned();
        assert_eq!(first.status(), 200);
        problem(put(&tag, "two@example.com").await, 412, "precondition-failed").await;
        assert_eq!(done(put(&second, "three@example.com").await).await["email"], "three@example.com");
        assert_eq!(put("*", "four@example.com").await.status(), 200);
    }

    /// Of the person alone: not who administers.
    async fn everything_about_a_person_is_exported(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:users").await.access;
        let id = ids(&good(&app, Method::GET, "/users?name=alice", &chief).await)[0].clone();
        app.login("alice").await;
        app.login("chief").await;
        done(post(&app, &format!("/users/{id}/revoke-sessions"), &chief, &json!({})).await).await;
        eventually("all have numbers", async || app.store.pending_events(1).await.expect("an answer").is_empty()).await;
        let all = good(&app, Method::GET, &format!("/users/{id}/export"), &chief).await;
        assert_eq!((&all["user"]["name"], &all["sessions"][0]["state"]), (&json!("alice"), &json!("revoked")));
        let names: Vec<&str> = all["events"].as_array().expect("events").iter().filter_map(|one| one["event"].as_str()).collect();
        assert_eq!(names, ["user.created", "login.succeeded", "sessions.revoked"]);
        assert_eq!(all["events"][2]["actor"], json!({ "kind": "user", "name": null, "id": null }));
        assert!(!all.to_string().contains("chief") && !all.to_string().contains("$2"), "{all}");
    }

    /// Two changes that were made to the same version: one of them is refused.
    async fn two_changes_at_once_don_t_overwrite_each_other(database: TestDatabase) {
        let app = app(&database).await;
        for round in 0..10 {
            let seen = app.admin.user(&tester(), "alice").await.expect("she is there");
            let change = |email: String| ficha_authority::UserChange { email: Some(Some(email)), ..Default::default() };
            let (one, other) = (change(format!("one{round}@example.com")), change(format!("other{round}@example.com")));
            let actor = tester();
            let both = tokio::join!(app.admin.change_user(&actor, &seen, &one), app.admin.change_user(&actor, &seen, &other));
            assert_eq!([both.0.is_ok(), both.1.is_ok()].iter().filter(|ok| **ok).count(), 1, "{both:?}");
        }
    }

    async fn the_last_administrator_stays_one(database: TestDatabase) {
        let app = app(&database).await;
        app.add_user("second", "ficha:admin").await;
        app.admin.delete_user(&tester(), "admin").await.expect("from the command line");
        let chief = token(&app, "chief", "ficha:admin").await.access;
        let id = async |name: &str| ids(&good(&app, Method::GET, &format!("/users?name={name}"), &chief).await)[0].clone();
        let (own, second) = (format!("/users/{}", id("chief").await), format!("/users/{}", id("second").await));
        good(&app, Method::DELETE, &second, &chief).await;
        problem(send(&app, Method::DELETE, &own, &chief).await, 409, "last-administrator").await;
        problem(post(&app, &format!("{own}/disable"), &chief, &json!({})).await, 409, "last-administrator").await;
        for change in [json!({ "enabled": false }), json!({ "scopes": ["notes:read"] })] {
            problem(patch(&app, &own, &chief, &change).await, 409, "last-administrator").await;
        }
        // Two that disable each other at once: one is left.
        for round in 0..5 {
            let (one, other) = (format!("a{round}"), format!("b{round}"));
            app.add_user(&one, "ficha:admin").await;
            app.add_user(&other, "ficha:admin").await;
            app.admin.set_user_enabled(&tester(), "chief", false).await.expect("from the command line");
            let scope = "ficha:admin".parse().expect("a scope");
            let actor = |name: &str| ficha_authority::Actor::user(uuid::Uuid::from_u128(1), name, &scope, ficha_authority::RequestSource::default());
            let (first, last) = (actor(&one), actor(&other));
            let both = tokio::join!(app.admin.set_user_enabled(&first, &other, false), app.admin.set_user_enabled(&last, &one, false));
            assert_eq!([both.0.is_ok(), both.1.is_ok()].iter().filter(|ok| **ok).count(), 1, "{both:?}");
            for name in [&one, &other] {
                app.admin.delete_user(&tester(), name).await.expect("from the command line");
            }
        }
    }

    async fn a_scoped_administrator_can_t_take_over_one_with_more(database: TestDatabase) {
        let app = app(&database).await;
        app.add_user("helper", "ficha:users").await;
        let helper = token(&app, "helper", "ficha:users").await.access;
        let id = ids(&good(&app, Method::GET, "/users?name=chief", &helper).await)[0].clone();
        let path = format!("/users/{id}");
        for (action, body) in [("password", json!({})), ("password", json!({ "password": NEW })), ("unlock", json!({})), ("disable", json!({})), ("revoke-sessions", json!({})), ("erase", json!({}))] {
            problem(post(&app, &format!("{path}/{action}"), &helper, &body).await, 403, "forbidden").await;
        }
        problem(patch(&app, &path, &helper, &json!({ "email": "mine@example.com" })).await, 403, "forbidden").await;
        problem(send(&app, Method::DELETE, &path, &helper).await, 403, "forbidden").await;
        let alice = ids(&good(&app, Method::GET, "/users?name=alice", &helper).await)[0].clone();
        problem(patch(&app, &format!("/users/{alice}"), &helper, &json!({ "scopes": ["ficha:admin"] })).await, 403, "forbidden").await;
        problem(post(&app, "/users", &helper, &json!({ "name": "mine", "scopes": ["ficha:audit"] })).await, 403, "forbidden").await;
    }

    async fn a_one_time_password_must_be_changed_first(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:users").await.access;
        let bob = done(post(&app, "/users", &chief, &json!({ "name": "bob", "scopes": ["notes:read"] })).await).await;
        let once = bob["password"].as_str().expect("a password").to_owned();
        assert_eq!(bob["must_change"], true);
        // Only the right password tells.
        let wrong = error(log_in(&app, "bob", "wrong").await, 400, "invalid_grant").await;
        assert!(!wrong.to_string().contains("changed"), "{wrong}");
        let right = error(log_in(&app, "bob", &once).await, 400, "invalid_grant").await;
        assert!(right.to_string().contains("must be changed"), "{right}");
        let change = async |name: &str, old: &str, new: &str| {
            let body = json!({ "username": name, "old_password": old, "new_password": new });
            app.http.post(app.url("/api/v1/me/password")).json(&body).send().await.expect("an answer")
        };
        for (name, old) in [("bob", "wrong"), ("nobody", &once)] {
            let told = problem(change(name, old, NEW).await, 403, "wrong-password").await;
            assert_eq!(told["detail"], "wrong user name or password");
        }
        problem(change("bob", &once, "short").await, 400, "invalid").await;
        problem(change("bob", &once, &once).await, 400, "invalid").await;
        assert_eq!(done(change("bob", &once, NEW).await).await, json!({ "revoked": 0 }));
        let session = Tokens::of(log_in(&app, "bob", NEW).await).await;
        assert_eq!(log_in(&app, "bob", &once).await.status(), 400);
        // Set again by an administrator, it ends what there was.
        let path = format!("/users/{}/password", bob["id"].as_str().expect("an id"));
        let set = done(post(&app, &path, &chief, &json!({})).await).await;
        assert_eq!((&set["revoked"], set["password"].as_str().map(str::len)), (&json!(1), Some(20)));
        assert_eq!(app.me(&session.access).await, 401);
        let kept = done(post(&app, &path, &chief, &json!({ "password": NEW, "must_change": false })).await).await;
        assert!(kept.get("password").is_none());
        assert_eq!(log_in(&app, "bob", NEW).await.status(), 200);
        problem(post(&app, &path, &chief, &json!({ "must_change": false })).await, 400, "invalid").await;
    }

    /// Guessing the old password is throttled as at the grant, and together with it.
    async fn guesses_of_the_old_password_are_throttled(database: TestDatabase) {
        let app = app(&database).await;
        let change = async |old: &str| {
            let body = json!({ "username": "alice", "old_password": old, "new_password": NEW });
            app.http.post(app.url("/api/v1/me/password")).json(&body).send().await.expect("an answer").status()
        };
        for _ in 0..15 {
            assert_eq!(change("wrong").await, 403);
        }
        assert_eq!(change(PASSWORD).await, 403, "throttled");
        assert_eq!(log_in(&app, "alice", PASSWORD).await.status(), 400, "here, too");
    }

    async fn users_look_after_themselves(database: TestDatabase) {
        let app = app(&database).await;
        let own = token(&app, "alice", "ficha:account").await;
        app.advance(Duration::from_millis(1)).await;
        let other = app.login("alice").await;
        app.advance(Duration::from_millis(1)).await;
        let third = app.login("alice").await;
        let stranger = app.login("chief").await;
        let me = good(&app, Method::GET, "/me", &own.access).await;
        assert_eq!((&me["name"], &me["must_change"]), (&json!("alice"), &json!(false)));
        let sid = |tokens: &Tokens| tokens.claims()["sid"].as_str().expect("a sid").to_owned();
        let list = good(&app, Method::GET, "/me/sessions?limit=2", &own.access).await;
        assert_eq!(ids(&list), [sid(&third), sid(&other)]);
        let next = format!("/me/sessions?after={}", list["next"].as_str().expect("more"));
        let rest = good(&app, Method::GET, &next, &own.access).await;
        assert_eq!(ids(&rest), [sid(&own)]);
        let back = format!("/me/sessions?before={}", rest["previous"].as_str().expect("a page"));
        assert_eq!(ids(&good(&app, Method::GET, &back, &own.access).await), ids(&list));
        // Of another's session, not even its being there is told.
        for id in [sid(&stranger), uuid::Uuid::from_u128(1).to_string(), "x".into()] {
            let told = problem(send(&app, Method::DELETE, &format!("/me/sessions/{id}"), &own.access).await, 404, "not-found").await;
            assert_eq!(told["detail"], "there is no such session");
        }
        let ended = good(&app, Method::DELETE, &format!("/me/sessions/{}", sid(&other)), &own.access).await;
        assert_eq!(ended, json!({ "matched": 1, "revoked": 1 }));
        assert_eq!((app.me(&other.access).await, app.me(&third.access).await), (401.try_into().expect("a status"), 200.try_into().expect("a status")));
        let others = done(post(&app, "/me/sessions/revoke-others?wait=0", &own.access, &json!({})).await).await;
        assert_eq!((&others["revoked"], &others["receipt"]["complete"]), (&json!(1), &json!(true)));
        assert_eq!(app.me(&third.access).await, 401);
        good(&app, Method::GET, "/me", &own.access).await;
        let body = json!({ "old_password": PASSWORD, "new_password": NEW });
        assert_eq!(done(post(&app, "/me/password", &own.access, &body).await).await["revoked"], 1);
        problem(send(&app, Method::GET, "/me", &own.access).await, 401, "unauthorized").await;
        assert_eq!(log_in(&app, "alice", NEW).await.status(), 200);
        // Nobody else's password can be named beside a token.
        let chief = token(&app, "chief", "ficha:account").await.access;
        let body = json!({ "username": "alice", "old_password": NEW, "new_password": PASSWORD });
        problem(post(&app, "/me/password", &chief, &body).await, 400, "invalid").await;
    }
}
