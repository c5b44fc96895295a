//! Finding sessions and ending them.

use std::collections::HashSet;
use std::time::Duration;

use ficha_store::testing::TestDatabase;
use ficha_testing::Tokens;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::*;

fn sid(tokens: &Tokens) -> String {
    tokens.claims()["sid"].as_str().expect("a sid").to_owned()
}

ficha_store::on_both_databases! {
    async fn a_lost_laptops_session_is_found_and_ended(database: TestDatabase) {
        let app = app(&database).await;
        let laptop = app.login("alice").await;
        app.advance(Duration::from_millis(2)).await;
        let phone = app.login("alice").await;
        let chief = token(&app, "chief", "ficha:sessions").await;
        let list = good(&app, Method::GET, "/sessions?user=alice&state=live", &chief.access).await;
        assert_eq!(ids(&list), [sid(&phone), sid(&laptop)], "the newest first");
        assert_eq!((&list["next"], &list["previous"]), (&Value::Null, &Value::Null));
        let path = format!("/sessions/{}", sid(&laptop));
        let shown = good(&app, Method::GET, &path, &chief.access).await;
        assert_eq!(shown, list["items"][1]);
        assert_eq!(shown["user"], json!({ "id": laptop.claims()["sub"], "name": "alice" }));
        assert_eq!((&shown["state"], &shown["ended"]), (&json!("live"), &Value::Null));
        assert_eq!((&shown["client_id"], &shown["address"]), (&json!("first-party"), &json!("127.0.0.1")));
        assert_eq!((&shown["scopes"], &shown["amr"]), (&json!(["notes:read", "notes:write"]), &json!(["pwd"])));
        let done = json!({ "matched": 1, "revoked": 1 });
        assert_eq!(good(&app, Method::DELETE, &path, &chief.access).await, done);
        assert_eq!(app.me(&laptop.access).await, 401);
        assert_eq!(app.refresh(&laptop.refresh).await.status(), 400);
        assert_eq!(app.me(&phone.access).await, 200);
        let again = json!({ "matched": 1, "revoked": 0 });
        assert_eq!(good(&app, Method::DELETE, &path, &chief.access).await, again);
        let shown = good(&app, Method::GET, &path, &chief.access).await;
        assert_eq!((&shown["state"], &shown["ended"]["reason"]), (&json!("revoked"), &json!("admin")));
        assert_eq!(shown["ended"]["by"], json!({ "kind": "user", "name": "chief" }));
        // Who did it, and in which request.
        let ended = database.store().await.all_events().await;
        let ended = ended.iter().find(|event| event.event == "session.revoked").expect("an event");
        assert_eq!((ended.actor_name.as_deref(), &*ended.actor_kind), (Some("chief"), "user"));
        assert!(ended.request_id.is_some());
    }

    async fn pages_lead_forth_and_back_over_each_session_once(database: TestDatabase) {
        let app = app(&database).await;
        let mut all = Vec::new();
        for _ in 0..7 {
            all.push(sid(&app.login("alice").await));
            app.advance(Duration::from_millis(2)).await;
        }
        all.reverse();
        let chief = token(&app, "chief", "ficha:admin:read").await.access;
        let page = async |cursor: &str| good(&app, Method::GET, &format!("/sessions?user=alice&limit=3{cursor}"), &chief).await;
        let (mut pages, mut cursor) = (Vec::new(), String::new());
        loop {
            let list = page(&cursor).await;
            pages.push(ids(&list));
            let Some(next) = list["next"].as_str() else { break };
            cursor = format!("&after={next}");
        }
        assert_eq!(pages.concat(), all);
        assert_eq!(pages.len(), 3);
        let last = page(&cursor).await;
        let back = page(&format!("&before={}", last["previous"].as_str().expect("there are newer ones"))).await;
        assert_eq!(ids(&back), pages[1]);
        let first = page(&format!("&before={}", back["previous"].as_str().expect("there are newer ones"))).await;
        assert_eq!((ids(&first), &first["previous"]), (pages[0].clone(), &Value::Null));
        assert_eq!(good(&app, Method::GET, "/sessions?user=alice&count=only", &chief).await, json!({ "count": 7 }));
        let counted = good(&app, Method::GET, "/sessions?user=alice&limit=1&count=true", &chief).await;
        assert_eq!((&counted["count"], ids(&counted).len()), (&json!(7), 1));
    }

    /// Also where a page ends exactly with a batch that is read, and at the last page of a whole number of pages.
    async fn exact_pages_skip_nothing_in_either_direction(database: TestDatabase) {
        let app = app(&database).await;
        let (alice, store) = (app.login("alice").await, database.store().await);
        let template = store.session(sid(&alice).parse().expect("an id")).await.expect("an answer").expect("a session");
        for _ in 0..99 {
            app.clock.advance(Duration::from_millis(2));
            let id = ficha_token::ordered_uuid(&*app.clock, &ficha_token::SystemEntropy);
            let session = ficha_store::SessionRecord { id, ..template.clone() };
            let client = store.client("first-party").await.expect("an answer").expect("a client");
            let user = store.user_by_name("alice").await.expect("an answer").expect("a user");
            let new = ficha_store::NewSession {
                session,
                user_version: Some(user.auth_version),
                client_version: client.auth_version,
                cause: ficha_store::testing::cause(),
            };
            assert!(matches!(store.insert_session(new).await, Ok(ficha_store::InsertOutcome::Inserted(_))));
        }
        let chief = token(&app, "chief", "ficha:admin:read").await.access;
        let page = async |cursor: String| good(&app, Method::GET, &format!("/sessions?user=alice{cursor}"), &chief).await;
        let first = page(String::new()).await;
        let second = page(format!("&after={}", first["next"].as_str().expect("more"))).await;
        assert_eq!((ids(&first).len(), ids(&second).len(), &second["next"]), (50, 50, &Value::Null));
        let back = page(format!("&before={}", second["previous"].as_str().expect("newer ones"))).await;
        assert_eq!((ids(&back), &back["previous"]), (ids(&first), &Value::Null));
        // Beyond either end there is nothing, and the way back begins with the first that was there.
        let beyond = page(format!("&before={}", ids(&first)[0])).await;
        assert_eq!(ids(&beyond), [""; 0]);
        let again = page(format!("&after={}", beyond["next"].as_str().expect("older ones"))).await;
        assert_eq!(ids(&again), ids(&first));
        let beyond = page(format!("&after={}", ids(&second)[49])).await;
        let again = page(format!("&before={}", beyond["previous"].as_str().expect("newer ones"))).await;
        assert_eq!((ids(&beyond).len(), ids(&again)), (0, ids(&second)));
    }

    async fn each_filter_fits_what_it_says_and_lists_and_counts_agree(database: TestDatabase) {
        let app = app(&database).await;
        let bob = app.add_user("bob", "notes:read").await;
        let shop = app.add_client("shop", |_| ()).await;
        let first = app.login("alice").await;
        app.advance(Duration::from_secs(100)).await;
        let second = app.login_as(&shop, "bob").await;
        app.advance(Duration::from_secs(100)).await;
        let third = app.login("bob").await;
        let chief = token(&app, "chief", "ficha:admin").await.access;
        good(&app, Method::DELETE, &format!("/sessions/{}", sid(&third)), &chief).await;
        let at = |tokens: &Tokens, more: i64| {
            let time = tokens.claims()["iat"].as_i64().expect("a time") + more;
            let time = time::OffsetDateTime::from_unix_timestamp(time).expect("a time");
            time.format(&time::format_description::well_known::Rfc3339).expect("a time")
        };
        let name = |tokens: &Tokens| match sid(tokens) {
            id if id == sid(&first) => "first",
            id if id == sid(&second) => "second",
            _ => "third",
        };
        let known: Vec<(String, &str)> = [&first, &second, &third].map(|tokens| (sid(tokens), name(tokens))).into();
        let filters = [
            ("user=alice".to_owned(), "first"),
            (format!("user={bob}"), "third second"),
            ("user=bob&client=shop".into(), "second"),
            ("client=shop".into(), "second"),
            ("user=bob&state=revoked".into(), "third"),
            ("user=bob&state=live".into(), "second"),
            ("user=bob&reason=admin".into(), "third"),
            ("user=bob&reason=logout".into(), ""),
            ("scope=notes%3Awrite".into(), "first"),
            ("address=127.0.0.0/8&user=alice".into(), "first"),
            ("address=192.0.2.1".into(), ""),
            ("user=nobody".into(), ""),
            ("client=nothing".into(), ""),
            (format!("scope=notes%3Aread&created_after={}", at(&second, 0)), "third second"),
            (format!("scope=notes%3Aread&created_before={}", at(&second, 0)), "first"),
            (format!("user=bob&refreshed_after={}", at(&second, 1)), "third"),
        ];
        for (filter, expected) in filters {
            let list = good(&app, Method::GET, &format!("/sessions?{filter}"), &chief).await;
            let found: Vec<&str> =
                ids(&list).iter().map(|id| known.iter().find(|(known, _)| known == id).map_or("?", |(_, name)| name)).collect();
            assert_eq!(found.join(" "), expected, "{filter}");
            let count = good(&app, Method::GET, &format!("/sessions?count=only&{filter}"), &chief).await;
            assert_eq!(count["count"], found.len(), "{filter}");
        }
    }

    /// A filter that is not recognised must never widen what is shown.
    async fn what_is_not_a_filter_is_refused(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:admin").await.access;
        for (query, field) in [
            ("usr=alice", "usr"),
            ("user=", "user"),
            ("user=alice&user=bob", "user"),
            ("state=dead", "state"),
            ("limit=0", "limit"),
            ("limit=201", "limit"),
            ("limit=-1", "limit"),
            ("created_after=yesterday", "created_after"),
            ("after=x", "after"),
            ("address=here", "address"),
            ("count=yes", "count"),
            ("client=%00", "client"),
        ] {
            let body = problem(send(&app, Method::GET, &format!("/sessions?{query}"), &chief).await, 400, "invalid").await;
            assert_eq!(body["errors"][0]["field"], field, "{query}: {body}");
        }
        let id = uuid::Uuid::from_u128(1);
        problem(send(&app, Method::DELETE, &format!("/sessions/{id}?all=1"), &chief).await, 400, "invalid").await;
        for id in ["x", "..", "%00", "00000000-0000-0000-0000-000000000000"] {
            problem(send(&app, Method::DELETE, &format!("/sessions/{id}"), &chief).await, 404, "not-found").await;
        }
    }

    async fn what_a_bulk_revocation_ends_is_what_its_list_showed(database: TestDatabase) {
        let app = app(&database).await;
        app.add_user("bob", "notes:read").await;
        let shop = app.add_client("shop", |_| ()).await;
        let mut tokens = Vec::new();
        for round in 0..4 {
            tokens.push(app.login("alice").await);
            tokens.push(if round % 2 == 0 { app.login("bob").await } else { app.login_as(&shop, "bob").await });
        }
        let chief = token(&app, "chief", "ficha:admin").await;
        let post = async |body: Value| {
            let url = app.url("/api/v1/sessions/revoke");
            app.http.post(url).bearer_auth(&chief.access).json(&body).send().await.expect("an answer")
        };
        let ask = async |body: Value| post(body).await.json::<Value>().await.expect("JSON");
        for (filter, query) in [
            (json!({ "user": "bob", "client": "shop", "state": "live" }), "user=bob&client=shop&state=live"),
            (json!({ "user": "bob" }), "user=bob"),
            (json!({ "client": "first-party", "scope": "notes:write" }), "client=first-party&scope=notes%3Awrite"),
            (json!({ "user": "nobody" }), "user=nobody"),
        ] {
            let listed = ids(&good(&app, Method::GET, &format!("/sessions?{query}"), &chief.access).await);
            let body = json!({ "filter": filter, "dry_run": true });
            let matched = ask(body).await;
            assert_eq!(matched, json!({ "matched": listed.len() }), "{query}");
            let is_refused = async |tokens: &Tokens| app.me(&tokens.access).await == 401;
            let mut before = Vec::new();
            for one in &tokens {
                before.push(is_refused(one).await);
            }
            // One more than was shown: nothing happens.
            if !listed.is_empty() {
                let body = json!({ "filter": filter, "dry_run": false, "expected": listed.len() - 1 });
                problem(post(body).await, 409, "conflict").await;
            }
            for (one, before) in tokens.iter().zip(&before) {
                assert_eq!(is_refused(one).await, *before, "{query}");
            }
            let body = json!({ "filter": filter, "dry_run": false, "expected": listed.len(), "reason": "a drill" });
            let done = ask(body).await;
            let open = tokens.iter().zip(&before).filter(|(one, gone)| listed.contains(&sid(one)) && !**gone).count();
            assert_eq!(done, json!({ "matched": listed.len(), "revoked": open }), "{query}");
            for (one, before) in tokens.iter().zip(&before) {
                assert_eq!(is_refused(one).await, *before || listed.contains(&sid(one)), "{query}");
            }
        }
        let events = database.store().await.all_events().await;
        let event = events.iter().find(|event| event.event == "sessions.revoked").expect("an event");
        assert_eq!(event.actor_name.as_deref(), Some("chief"));
        let detail: Value = serde_json::from_str(event.detail.as_deref().expect("a detail")).expect("JSON");
        assert_eq!(detail, json!({ "reason": "admin", "count": 2, "why": "a drill" }));
    }

    /// Another server has revoked it a moment ago, and this one has not heard of it: what it answers is true of itself.
    async fn a_bulk_revocation_of_what_another_server_has_just_ended_is_in_effect_here(database: TestDatabase) {
        let deaf = app_with(&database, |options| options.background = false).await;
        let alice = deaf.login("alice").await;
        let chief = token(&deaf, "chief", "ficha:sessions").await.access;
        let second = deaf.another(&database).await;
        second.admin.revoke_user(&ficha_testing::tester(), "alice").await.expect("she is there");
        assert_eq!(deaf.me(&alice.access).await, 200, "it has not heard of it");
        let body = json!({ "filter": { "user": "alice" }, "dry_run": false, "expected": 1 });
        let url = deaf.url("/api/v1/sessions/revoke");
        let done = deaf.http.post(url).bearer_auth(&chief).json(&body).send().await.expect("an answer");
        assert_eq!(done.json::<Value>().await.expect("JSON"), json!({ "matched": 1, "revoked": 0 }));
        assert_eq!(deaf.me(&alice.access).await, 401);
    }

    /// The same for the rules that end all sessions of a user or of a client.
    async fn what_ends_all_sessions_is_in_effect_here_even_if_another_server_has_ended_them(database: TestDatabase) {
        let deaf = app_with(&database, |options| options.background = false).await;
        let second = deaf.another(&database).await;
        let (admin, actor) = (deaf.authority.admin(), ficha_testing::tester());
        for by_user in [true, false] {
            let alice = deaf.login("alice").await;
            second.admin.revoke_user(&actor, "alice").await.expect("she is there");
            assert_eq!(deaf.me(&alice.access).await, 200, "it has not heard of it");
            let ended = match by_user {
                true => admin.revoke_user(&actor, "alice").await,
                false => admin.revoke_client(&actor, "first-party").await,
            };
            assert_eq!(ended.expect("it is there"), 0);
            assert_eq!(deaf.me(&alice.access).await, 401);
        }
    }

    async fn a_bulk_revocation_spares_whom_it_should_and_refuses_what_is_too_wide(database: TestDatabase) {
        let app = app(&database).await;
        let (one, two) = (app.login("alice").await, app.login("alice").await);
        let (chief, other) = (token(&app, "chief", "ficha:admin").await, token(&app, "chief", "ficha:sessions").await);
        let post = async |body: Value| {
            let url = app.url("/api/v1/sessions/revoke");
            app.http.post(url).bearer_auth(&chief.access).json(&body).send().await.expect("an answer")
        };
        for (body, field) in [
            (json!({ "filter": { "usr": "alice" }, "dry_run": true }), Some("usr")),
            (json!({ "filter": { "user": null }, "dry_run": true }), Some("user")),
            (json!({ "filter": { "user": "" }, "dry_run": true }), Some("user")),
            (json!({ "filter": { "user": "alice", "limit": 1 }, "dry_run": true }), Some("limit")),
            (json!({ "filter": { "ids": ["x"] }, "dry_run": true }), Some("ids")),
            (json!({ "filter": { "user": "alice" }, "dry_run": false }), Some("expected")),
            (json!({ "filter": { "user": "alice" } }), Some("body")),
            (json!({ "filter": { "user": "alice" }, "dry_run": true, "all": true }), Some("body")),
            (json!({ "dry_run": true }), Some("body")),
            (json!([]), Some("body")),
            (json!({ "filter": {}, "dry_run": true }), None),
            (json!({ "filter": { "state": "live" }, "dry_run": true }), None),
            (json!({ "filter": { "scope": "notes:read", "created_after": "2020-01-01T00:00:00Z" }, "dry_run": true }), None),
        ] {
            let text = body.to_string();
            let refused = problem(post(body).await, 400, "invalid").await;
            if let Some(field) = field {
                assert_eq!(refused["errors"][0]["field"], field, "{text}: {refused}");
            }
        }
        let twice = r#"{"filter":{"user":"alice","user":"chief"},"dry_run":true}"#;
        let twice = app.http.post(app.url("/api/v1/sessions/revoke")).bearer_auth(&chief.access).body(twice);
        let twice = problem(twice.send().await.expect("an answer"), 400, "invalid").await;
        assert_eq!(twice["errors"][0]["field"], "user");
        assert_eq!((app.me(&one.access).await.as_u16(), app.me(&two.access).await.as_u16()), (200, 200));
        let body = json!({ "filter": { "user": "alice" }, "except": [sid(&one)], "dry_run": false, "expected": 1 });
        assert_eq!(post(body).await.json::<Value>().await.expect("JSON"), json!({ "matched": 1, "revoked": 1 }));
        assert_eq!((app.me(&one.access).await.as_u16(), app.me(&two.access).await.as_u16()), (200, 401));
        // The caller's own session, unless it is named.
        let body = json!({ "filter": { "user": "chief" }, "dry_run": false, "expected": 1 });
        assert_eq!(post(body).await.json::<Value>().await.expect("JSON"), json!({ "matched": 1, "revoked": 1 }));
        assert_eq!((app.me(&chief.access).await.as_u16(), app.me(&other.access).await.as_u16()), (200, 401));
        let ids = json!([sid(&chief), sid(&one), uuid::Uuid::from_u128(5)]);
        let body = json!({ "filter": { "ids": ids, "user": "chief" }, "dry_run": false, "expected": 1, "include_self": true });
        assert_eq!(post(body).await.json::<Value>().await.expect("JSON"), json!({ "matched": 1, "revoked": 1 }));
        assert_eq!((app.me(&chief.access).await.as_u16(), app.me(&one.access).await.as_u16()), (401, 200));
    }

    async fn after_a_purge_no_old_session_shows_as_live(database: TestDatabase) {
        let app = app(&database).await;
        app.login("alice").await;
        app.admin.purge_keys(&ficha_testing::tester()).await.expect("a purge");
        let chief = token(&app, "chief", "ficha:admin").await.access;
        let list = good(&app, Method::GET, "/sessions?user=alice", &chief).await;
        assert_eq!((&list["items"][0]["state"], &list["items"][0]["ended"]["reason"]), (&json!("revoked"), &json!("purge")));
        // It ended then, and for that reason.
        let path = format!("/sessions/{}", list["items"][0]["id"].as_str().expect("an id"));
        assert_eq!(good(&app, Method::DELETE, &path, &chief).await, json!({ "matched": 1, "revoked": 0 }));
        assert_eq!(good(&app, Method::GET, &path, &chief).await["ended"]["reason"], "purge");
        let live = good(&app, Method::GET, "/sessions?user=alice&state=live", &chief).await;
        assert_eq!(ids(&live), [""; 0]);
    }

    /// A name is personal: a scope that does not show names neither shows nor reveals them.
    async fn who_may_not_see_names_sees_none(database: TestDatabase) {
        let app = app(&database).await;
        let alice = app.login("alice").await;
        let clients = token(&app, "chief", "ficha:clients").await.access;
        let list = good(&app, Method::GET, "/sessions", &clients).await;
        let names: HashSet<_> = list["items"].as_array().expect("items").iter().map(|item| item["user"]["name"].to_string()).collect();
        assert_eq!(names, HashSet::from(["null".to_owned()]));
        for name in ["alice", "nobody"] {
            problem(send(&app, Method::GET, &format!("/sessions?user={name}"), &clients).await, 403, "forbidden").await;
        }
        let by_id = format!("/sessions?user={}", alice.claims()["sub"].as_str().expect("an id"));
        assert_eq!(ids(&good(&app, Method::GET, &by_id, &clients).await), [sid(&alice)]);
    }
}
