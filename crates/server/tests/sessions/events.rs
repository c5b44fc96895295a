//! The event log of a running server: what is in it, its numbers, and its chain.

use std::time::Duration;

use ficha_authority::{Damage, EventQuery, EventView, Sight, Verified};
use ficha_store::testing::{RawConnection, TestDatabase};
use ficha_store::{DatabaseKind, EventRecord};
use ficha_testing::{App, PASSWORD, Tokens, error, eventually, tester};
use serde_json::Value;

use crate::support::*;

/// Waits until every event has a number, and returns all of them in their order.
async fn numbered(app: &App) -> Vec<EventRecord> {
    eventually("every event has a number", async || app.store.pending_events(1).await.expect("an answer").is_empty())
        .await;
    of(app, &EventQuery::default()).await
}

/// The events that fit, the oldest first.
async fn of(app: &App, query: &EventQuery) -> Vec<EventRecord> {
    let search = app.admin.event_search(&tester(), query, Sight::All).await.expect("the database answers");
    app.admin.events_following(&search, 0, 10_000).await.expect("the database answers").0
}

async fn verified(app: &App, expected: Option<(i64, &str)>) -> Verified {
    app.admin.verify_events(&tester(), expected).await.expect("the database answers")
}

async fn intact(app: &App) -> Verified {
    numbered(app).await;
    let verified = verified(app, None).await;
    assert_eq!(verified.damages, []);
    verified
}

fn detail(event: &EventRecord) -> Value {
    event.detail.as_deref().map(|text| serde_json::from_str(text).expect("JSON")).unwrap_or_default()
}

/// A wrong login, from the address that a trusted client names.
async fn wrong(app: &App, name: &str) {
    let form = [("grant_type", "password"), ("username", name), ("password", "wrong")];
    error(app.post("/token", &form).await, 400, "invalid_grant").await;
}

/// How many failed logins the events count, and in how many events.
fn counted(events: &[EventRecord]) -> (i64, usize) {
    let failed: Vec<_> = events.iter().filter(|event| event.event == "login.failed").collect();
    (failed.iter().map(|event| detail(event)["count"].as_i64().expect("a count")).sum(), failed.len())
}

async fn change(raw: &RawConnection, sql: &str) {
    assert_eq!(raw.execute(sql).await, 1, "{sql}");
}

ficha_store::on_both_databases! {
    async fn an_event_names_its_request_address_client_and_session(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let form = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
        let response = app.post("/token", &form).await;
        let id = response.headers()["x-request-id"].to_str().expect("a text").to_owned();
        let tokens = Tokens::of(response).await;
        let login = events(&database, "login.succeeded").await.remove(0);
        assert_eq!(login.request_id.as_deref(), Some(&*id));
        assert_eq!((login.session_id, login.user_id), (Some(sid(&tokens.access)), Some(subject(&tokens.access))));
        assert_eq!((login.address.as_deref(), login.client_id.as_deref()), (Some("127.0.0.1"), Some("first-party")));
        assert_eq!((&*login.actor_kind, login.actor_name.as_deref()), ("user", Some("alice")));
        assert_eq!(detail(&login)["amr"][0], "pwd");
        let response = app.get_with("/users/me", &tokens.access).await;
        assert_ne!(response.headers()["x-request-id"].to_str().expect("a text"), id);
        // Whoever is not trusted for it does not name requests.
        let named = app.http.get(app.url("/health/live")).header("x-request-id", "mine").send().await.expect("an answer");
        assert_ne!(named.headers()["x-request-id"], "mine");
    }

    async fn what_ended_a_session_is_recorded_with_who_did_it(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let (one, other, third) = (app.login("alice").await, app.login("alice").await, app.login("alice").await);
        assert_eq!(app.post("/revoke", &[("token", &one.refresh)]).await.status(), 200);
        // A second time, and nothing happens.
        assert_eq!(app.post("/revoke", &[("token", &one.refresh)]).await.status(), 200);
        let logout = app.http.post(app.url("/logout")).bearer_auth(&other.access).send().await.expect("an answer");
        assert_eq!(logout.status(), 204);
        assert_eq!(app.post("/revoke", &[("token", &third.access)]).await.status(), 200);
        assert_eq!(app.post("/revoke", &[("token", &third.access)]).await.status(), 200);
        app.admin.revoke_session(&tester(), sid(&third.access)).await.expect("it is there");
        let of = async |name: &str| events(&database, name).await;
        let revoked = of("session.revoked").await;
        let mut ended: Vec<_> = revoked.iter().map(|event| (event.session_id, &*event.actor_kind)).collect();
        ended.sort_unstable();
        let mut expected = [(Some(sid(&one.access)), "client"), (Some(sid(&third.access)), "cli")];
        expected.sort_unstable();
        assert_eq!(ended, expected);
        let logged_out = of("session.logged_out").await;
        assert_eq!((logged_out.len(), logged_out[0].session_id), (1, Some(sid(&other.access))));
        assert_eq!((&*logged_out[0].actor_kind, logged_out[0].actor_id), ("user", Some(subject(&other.access))));
        assert_eq!(of("token.revoked").await.len(), 1);
    }

    /// The first is an event, and the others are counted, also those that are refused without checking the password. A
    /// name that no user has is treated alike, and is nowhere.
    async fn failed_logins_are_counted_in_few_events(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let secret = "Correct-Horse-Typed-Into-The-Wrong-Field";
        for name in ["alice", secret] {
            let before = app.store.all_events().await.len();
            for _ in 0..15 {
                wrong(&app, name).await;
            }
            let all = app.store.all_events().await;
            assert_eq!(all.len(), before + 1, "only the first");
            app.advance(seconds(61)).await;
            eventually("the others are reported", async || app.store.all_events().await.len() == before + 2).await;
        }
        let all = app.store.all_events().await;
        assert_eq!(counted(&all), (30, 4));
        let of_alice = all.iter().filter(|event| event.event == "login.failed" && event.user_id.is_some());
        assert_eq!(of_alice.count(), 2);
        assert!(app.store.all_events().await.iter().all(|event| !format!("{event:?}").contains("Correct-Horse")));
        let last = all.iter().filter(|event| event.event == "login.failed").map(detail).max_by_key(|d| d["count"].as_i64());
        let last = last.expect("an event");
        assert_eq!(last["count"], 14);
        assert!(last["first"].as_str().expect("a time") <= last["last"].as_str().expect("a time"), "{last}");
        // A minute later, the next failure is an event at once.
        app.advance(seconds(100)).await;
        wrong(&app, "alice").await;
        assert_eq!(counted(&app.store.all_events().await).0, 31);
    }

    /// A flood of names costs no row for each.
    async fn throttled_logins_with_ever_new_names_are_counted_for_their_source(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        // From here on, the source is throttled for accounts to which it never logged in.
        let raw = database.raw().await;
        wrong(&app, "first").await;
        raw.execute("UPDATE login_failures SET failures = 500").await;
        let rows = raw.number("SELECT COUNT(*) FROM login_failures").await;
        let before = app.store.all_events().await.len();
        for n in 0..30 {
            wrong(&app, &format!("name {n}")).await;
        }
        assert_eq!(raw.number("SELECT COUNT(*) FROM login_failures").await, rows);
        assert_eq!(app.store.all_events().await.len(), before + 1);
        app.advance(seconds(61)).await;
        eventually("they are all counted", async || counted(&app.store.all_events().await).0 == 31).await;
    }

    /// Somebody who knows a password can't find that out in silence.
    async fn a_right_password_with_a_scope_too_many_is_an_event(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let form =
            [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD), ("scope", "notes:admin")];
        error(app.post("/token", &form).await, 400, "invalid_scope").await;
        assert_eq!(events(&database, "login.failed").await.len(), 1);
    }

    async fn a_retry_is_an_event_of_its_own_for_each_time(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let tokens = app.login("alice").await;
        refreshed(&app, &tokens.refresh).await;
        for _ in 0..3 {
            refreshed(&app, &tokens.refresh).await;
        }
        let retried = events(&database, "refresh.retried").await;
        assert_eq!(retried.len(), 3);
        assert!(retried.iter().all(|event| event.address.as_deref() == Some("127.0.0.1")));
        assert!(retried.iter().all(|event| event.session_id == Some(sid(&tokens.access))));
    }

    async fn committed_events_get_consecutive_numbers_from_whichever_server_runs(database: TestDatabase) {
        let mut app = app_with_alice(&database).await;
        let second = app.another(&database).await;
        for _ in 0..5 {
            app.login("alice").await;
            second.login("alice").await;
        }
        let before = numbered(&app).await;
        // The one that gives the numbers may be either; it dies without letting another take over.
        let first_dies = async |app: &mut App| {
            let background = app.background.take().expect("it runs");
            drop(background);
        };
        first_dies(&mut app).await;
        second.login("alice").await;
        let after = numbered(&second).await;
        assert_eq!(after.len(), before.len() + 1);
        let numbers: Vec<_> = after.iter().map(|event| event.number.expect("a number")).collect();
        assert_eq!(numbers, (1..=after.len() as i64).collect::<Vec<_>>());
        let found = intact(&second).await;
        assert_eq!((found.first, found.newest.number, found.pending), (1, after.len() as i64, 0));
        assert_eq!(metric(&second, "ficha_events_newest_number").await, after.len() as u64);
        let hash = EventView::from(after.last().expect("an event").clone()).hash.expect("a hash");
        let first = u64::from_str_radix(&hash[..12], 16).expect("digits");
        assert_eq!(metric(&second, "ficha_events_newest_hash").await, first);
    }

    async fn a_server_that_stops_lets_the_next_one_number_at_once(database: TestDatabase) {
        let mut app = app_with_alice(&database).await;
        app.login("alice").await;
        app.background.take().expect("it runs").finish().await;
        assert_eq!(app.store.count_pending_events().await.expect("an answer"), 0);
        assert_eq!(app.store.event_chain().await.expect("an answer").sequencer, None);
    }

    async fn every_damage_to_the_log_is_found(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        for _ in 0..8 {
            app.login("alice").await;
        }
        let newest = intact(&app).await.newest.number;
        let noted = verified(&app, None).await.newest;
        let hash = ficha_authority::hex(&noted.hash);
        let raw = database.raw().await;
        let blob = |digits: &str| match database.kind() {
            DatabaseKind::Sqlite => format!("x'{digits}'"),
            DatabaseKind::Postgres => format!("'\\x{digits}'"),
        };
        // Changed, and changed back: each column of a login.
        let at = newest - 2;
        let columns = [
            ("at", "at + 1", "at - 1"),
            ("event", "'login.failed'", "'login.succeeded'"),
            ("actor_kind", "'client'", "'user'"),
            ("actor_name", "'bob'", "'alice'"),
            ("address", "'192.0.2.9'", "'127.0.0.1'"),
            ("client_id", "'other'", "'first-party'"),
        ];
        for (column, changed, back) in columns {
            change(&raw, &format!("UPDATE events SET {column} = {changed} WHERE number = {at}")).await;
            assert_eq!(verified(&app, None).await.damages, [Damage::Changed(at)], "{column}");
            change(&raw, &format!("UPDATE events SET {column} = {back} WHERE number = {at}")).await;
        }
        for column in ["actor_id", "user_id", "session_id", "request_id", "detail", "detail_salt", "origin_salt"] {
            let keep = format!("CREATE TABLE kept AS SELECT {column} AS value FROM events WHERE number = {at}");
            raw.execute(&keep).await;
            change(&raw, &format!("UPDATE events SET {column} = NULL WHERE number = {at}")).await;
            assert_eq!(verified(&app, None).await.damages, [Damage::Changed(at)], "{column}");
            change(&raw, &format!("UPDATE events SET {column} = (SELECT value FROM kept) WHERE number = {at}")).await;
            raw.execute("DROP TABLE kept").await;
        }
        assert_eq!(verified(&app, Some((newest, &hash))).await.damages, []);
        // A commitment without its salt covers nothing: whoever writes values beside it forges them.
        let event = app.store.events_after(&ficha_store::EventFilter::default(), at - 1, 1).await.expect("an answer");
        let digest = blob(&ficha_authority::hex(&event[0].origin_digest().expect("a name")));
        raw.execute(&format!("CREATE TABLE kept AS SELECT origin_salt AS value FROM events WHERE number = {at}")).await;
        let forge = format!("origin_erased = {digest}, origin_salt = NULL, actor_name = 'bob'");
        change(&raw, &format!("UPDATE events SET {forge} WHERE number = {at}")).await;
        assert_eq!(verified(&app, None).await.damages, [Damage::Changed(at)]);
        let back = "origin_erased = NULL, origin_salt = (SELECT value FROM kept), actor_name = 'alice'";
        change(&raw, &format!("UPDATE events SET {back} WHERE number = {at}")).await;
        raw.execute("DROP TABLE kept").await;
        assert_eq!(verified(&app, None).await.damages, []);
        // Values that the server would never write.
        for (column, value) in [("origin_salt", blob("00")), ("detail_salt", blob("00")), ("hash", blob("00"))] {
            raw.execute(&format!("CREATE TABLE kept AS SELECT {column} AS value FROM events WHERE number = {at}")).await;
            change(&raw, &format!("UPDATE events SET {column} = {value} WHERE number = {at}")).await;
            let damages = verified(&app, None).await.damages;
            assert_eq!(damages[0], Damage::Changed(at), "{column}: {damages:?}");
            change(&raw, &format!("UPDATE events SET {column} = (SELECT value FROM kept) WHERE number = {at}")).await;
            raw.execute("DROP TABLE kept").await;
        }
        if database.kind() == DatabaseKind::Sqlite {
            change(&raw, &format!("UPDATE events SET at = 'x' || at WHERE number = {at}")).await;
            let damages = verified(&app, None).await.damages;
            assert_eq!(damages, [Damage::Unreadable(at), Damage::Changed(at + 1)]);
            change(&raw, &format!("UPDATE events SET at = CAST(substr(at, 2) AS INTEGER) WHERE number = {at}")).await;
        }
        assert_eq!(verified(&app, None).await.damages, []);
        // Reordered.
        for (from, to) in [(5, -5), (6, 5), (-5, 6)] {
            change(&raw, &format!("UPDATE events SET number = {to} WHERE number = {from}")).await;
        }
        let damages = verified(&app, None).await.damages;
        assert!(damages.contains(&Damage::Changed(5)) && damages.contains(&Damage::Changed(6)), "{damages:?}");
        for (from, to) in [(5, -5), (6, 5), (-5, 6)] {
            change(&raw, &format!("UPDATE events SET number = {to} WHERE number = {from}")).await;
        }
        // Removed.
        raw.execute("CREATE TABLE kept AS SELECT * FROM events WHERE number IN (4, 7)").await;
        assert_eq!(raw.execute("DELETE FROM events WHERE number IN (4, 7)").await, 2);
        let removed = |number| Damage::Removed { from: number, to: number };
        assert_eq!(verified(&app, None).await.damages, [removed(4), removed(7)]);
        assert_eq!(raw.execute("INSERT INTO events SELECT * FROM kept").await, 2);
        raw.execute("DROP TABLE kept").await;
        assert_eq!(verified(&app, None).await.damages, []);
        // Cut off at the end; and then the record of the end is cut as well, which only a note from elsewhere shows.
        change(&raw, &format!("DELETE FROM events WHERE number = {newest}")).await;
        let cut = Damage::CutOff { last: newest - 1, newest };
        assert_eq!(verified(&app, None).await.damages, [cut]);
        let before = app.store.events_before(&ficha_store::EventFilter::default(), None, 1).await.expect("an answer");
        let last = blob(&ficha_authority::hex(&before[0].hash.expect("a hash")));
        change(&raw, &format!("UPDATE event_chain SET number = {}, hash = {last}", newest - 1)).await;
        let damages = verified(&app, Some((newest, &hash))).await.damages;
        assert_eq!(damages, [Damage::Seal("newest event"), Damage::NotAsExpected(newest)]);
        // The next event does not make it whole, whether or not there is a note.
        app.login("alice").await;
        numbered(&app).await;
        let damages = verified(&app, Some((newest, &hash[..12]))).await.damages;
        assert_eq!(damages, [Damage::Changed(newest), Damage::NotAsExpected(newest)]);
    }

    async fn a_log_can_be_pruned_and_persons_erased_without_a_damage(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let tokens = app.login("alice").await;
        intact(&app).await;
        let created = numbered(&app).await.remove(0);
        app.add_user("bob", "").await;
        let tokens_of_bob = app.login("bob").await;
        refreshed(&app, &tokens_of_bob.refresh).await;
        refreshed(&app, &tokens_of_bob.refresh).await;
        for _ in 0..2 {
            wrong(&app, "bob").await;
        }
        let erased = app.admin.erase_user(&tester(), "bob").await.expect("he is there");
        assert_eq!((erased.sessions, erased.events), (1, 6), "created, login, retry, failure, sessions, deleted");
        let of_bob = EventQuery { user: Some(subject(&tokens_of_bob.access).to_string()), ..EventQuery::default() };
        numbered(&app).await;
        let left = of(&app, &of_bob).await;
        assert!(!format!("{left:?}").contains("127.0.0.1"), "{left:?}");
        assert!(!format!("{left:?}").contains("bob") && left.iter().any(|event| event.event == "user.erased"), "{left:?}");
        let session = row(&database, sid(&tokens_of_bob.access)).await;
        assert_eq!((session.address, session.user_agent), (None, None));
        // Nor does what was counted until now say later whose it was.
        app.advance(seconds(61)).await;
        eventually("it is reported", async || events(&database, "login.failed").await.len() == 2).await;
        numbered(&app).await;
        let left = of(&app, &of_bob).await;
        assert!(!format!("{left:?}").contains("127.0.0.1"), "{left:?}");
        // Nothing is left for a second time.
        let id = subject(&tokens_of_bob.access).to_string();
        assert_eq!(app.admin.erase_user(&tester(), &id).await.expect("an id").events, 1, "the event of the erasure");
        intact(&app).await;
        while app.store.erase_events_of(subject(&tokens.access), 10).await.expect("an answer") > 0 {}
        // What was changed is never pruned: a seal over it would hide that.
        let raw = database.raw().await;
        change(&raw, "UPDATE events SET at = 0 WHERE number = 1").await;
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert_eq!(verified(&app, None).await.damages, [Damage::Changed(1)]);
        let first = app.store.event_chain().await.expect("an answer").pruned.number;
        assert_eq!(first, 0, "a seal hides a change");
        change(&raw, &format!("UPDATE events SET at = {} WHERE number = 1", created.at)).await;
        intact(&app).await;
        app.advance(days(366)).await;
        app.login("alice").await;
        eventually("old events are removed", async || {
            app.store.event_chain().await.expect("an answer").pruned.number > 0
        })
        .await;
        eventually("the chain is whole", async || {
            let found = verified(&app, None).await;
            found.damages.is_empty() && found.first > 1
        })
        .await;
        let login = numbered(&app).await.pop().expect("an event");
        assert_eq!(login.actor_name.as_deref(), Some("alice"), "what comes later is not erased");
        // A forged end of what was pruned is noticed.
        app.login("alice").await;
        numbered(&app).await;
        let last = login.number.expect("a number");
        assert!(raw.execute(&format!("DELETE FROM events WHERE number <= {last}")).await > 0);
        change(&raw, &format!("UPDATE event_chain SET pruned_number = {last}")).await;
        let damages = verified(&app, None).await.damages;
        assert!(damages.contains(&Damage::Seal("end of the pruned events")), "{damages:?}");
    }
}
