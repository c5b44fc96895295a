//! Events are written in the transaction of what they record, and get their numbers afterwards.

use std::collections::HashMap;
use std::time::Duration;

use ficha_store::testing::TestDatabase;
use ficha_store::{
    Cause, ChainEnd, Commitment, DatabaseKind, EndedBy, EventActor, EventFilter, EventKind, EventRecord, NewEvent,
    Numbered, RevokeReason, SessionFilter, Store, StoreError, on_both_databases,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::*;

const ALL: EventFilter = EventFilter {
    event: None,
    user: None,
    client: None,
    session: None,
    actor: None,
    about: None,
    since: None,
    until: None,
    numbers: None,
    beginnings: Vec::new(),
};

/// The events that are committed and have no number yet, by name.
async fn pending(store: &Store) -> Vec<EventRecord> {
    store.pending_events(10_000).await.unwrap()
}

pub async fn of_kind(store: &Store, kind: EventKind) -> Vec<EventRecord> {
    pending(store).await.into_iter().filter(|event| event.event == kind.as_str()).collect()
}

fn detail(event: &EventRecord) -> Value {
    serde_json::from_str(event.detail.as_deref().unwrap()).unwrap()
}

/// Numbers what waits, with hashes that are simply the number.
async fn number_all(store: &Store) -> bool {
    let chain = store.event_chain().await.unwrap();
    let numbered: Vec<_> = (chain.newest.number + 1..)
        .zip(pending(store).await)
        .map(|(number, event)| Numbered { id: event.id, number, hash: [number as u8; 32] })
        .collect();
    let Some(last) = numbered.last() else { return false };
    let newest = ChainEnd { number: last.number, hash: last.hash, seal: Some([9; 32]) };
    store.number_events(&numbered, &chain, newest).await.unwrap()
}

fn sabotage(kind: DatabaseKind) -> (&'static str, &'static str) {
    match kind {
        DatabaseKind::Sqlite => (
            "CREATE TRIGGER spoil BEFORE INSERT ON events_pending BEGIN SELECT RAISE(ABORT, 'spoiled'); END",
            "DROP TRIGGER spoil",
        ),
        DatabaseKind::Postgres => (
            "ALTER TABLE events_pending ADD CONSTRAINT spoil CHECK (event = 'none') NOT VALID",
            "ALTER TABLE events_pending DROP CONSTRAINT spoil",
        ),
    }
}

on_both_databases! {
    async fn an_event_is_read_back_as_it_was_written(db: TestDatabase) {
        let store = db.store().await;
        let actor = EventActor::User { id: id(), name: Some("alice".into()) };
        let cause = Cause { actor: actor.clone(), ..cause_at(1_800_000_000_123) };
        let (user, session) = (id(), id());
        let event = NewEvent::new(EventKind::LoginSucceeded, &cause).user(user).client("app").session(session);
        store.record_events(&[event.detail(json!({ "amr": ["pwd"] }))]).await.unwrap();
        store.record_events(&[]).await.unwrap();
        let read = pending(&store).await.remove(0);
        assert_eq!((read.at, &*read.event, read.number, read.hash), (1_800_000_000_123, "login.succeeded", None, None));
        assert_eq!((&*read.actor_kind, read.actor_id, read.actor_name), ("user", actor.user_id(), Some("alice".into())));
        assert_eq!((read.user_id, read.client_id, read.session_id), (Some(user), Some("app".into()), Some(session)));
        assert_eq!((read.address, read.request_id), (Some("192.0.2.1".into()), Some("r1".into())));
        assert_eq!(read.detail.as_deref(), Some("{\"amr\":[\"pwd\"]}"));
        assert!(matches!((read.origin, read.detail_commitment), (Commitment::Salted(_), Commitment::Salted(_))));
    }

    /// Each change with its event, and a repetition without one.
    async fn what_changes_something_is_an_event_and_what_changes_nothing_is_none(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        let cause = cause();
        assert!(!store.add_user(user("alice"), 10, &cause).await.unwrap());
        assert!(!store.add_client(client("app"), &cause).await.unwrap());
        for enabled in [false, false, true, true] {
            store.set_user_enabled(alice.id, enabled, NOW, &cause).await.unwrap();
        }
        for _ in 0..2 {
            store.set_user_email(alice.id, Some("a@example.com"), &cause).await.unwrap();
            store.set_user_rights(alice.id, &"a b".parse().unwrap(), &[], NOW, &cause).await.unwrap();
            store.declare_scope("a", "A", &cause).await.unwrap();
            store.enable_client("app", &cause).await.unwrap();
            store.remove_scope("none", &cause).await.unwrap();
        }
        let names = [
            "user.created", "client.created", "user.disabled", "user.enabled", "user.changed", "user.changed",
            "scope.declared",
        ];
        assert_eq!(sorted(event_names(&store).await), sorted(names.map(str::to_owned).to_vec()));
        let changed = of_kind(&store, EventKind::UserChanged).await;
        let details: Vec<_> = changed.iter().map(detail).collect();
        assert!(details.contains(&json!({ "before": { "email": null }, "after": { "email": "a@example.com" } })));
        let rights = json!({
            "before": { "scopes": alice.scopes.iter().collect::<Vec<_>>(), "roles": alice.roles },
            "after": { "scopes": ["a", "b"], "roles": [] },
        });
        assert!(details.contains(&rights), "{details:?}");
        assert!(changed.iter().all(|event| event.user_id == Some(alice.id) && event.actor_kind == "cli"));
        assert_eq!(store.client("app").await.unwrap().unwrap().subject, app.subject);
    }

    async fn a_new_secret_is_an_event_without_the_secret(db: TestDatabase) {
        let store = db.store().await;
        let (_, app) = alice_and_app(&store).await;
        let new = secret(9);
        assert!(store.set_client_secrets((&app).into(), std::slice::from_ref(&new), &cause()).await.unwrap());
        // It has another version by now, so nothing is changed.
        assert!(store.set_client_secrets((&app).into(), &[], &cause()).await.is_err());
        assert_eq!(of_kind(&store, EventKind::ClientSecretAdded).await.len(), 1);
        assert_eq!(of_kind(&store, EventKind::ClientSecretRemoved).await.len(), 1);
        assert_eq!(of_kind(&store, EventKind::ClientChanged).await.len(), 0);
        assert!(pending(&store).await.iter().all(|event| !format!("{event:?}").contains(&format!("{:?}", [9_u8; 32]))));
    }

    async fn every_session_has_its_event_and_so_has_its_end(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        let made = more_sessions(&store, &alice, &app, 4).await;
        let own = store.client_session(own_grant(&app), NOW, NOW + 5, NOW + 900).await.unwrap();
        let own = inserted(own);
        // Returned as it is, and no event.
        store.client_session(own_grant(&app), NOW, NOW + 5, NOW + 900).await.unwrap();
        let outdated = login(&ficha_store::UserRecord { auth_version: 9, ..alice.clone() }, &app);
        store.insert_session(outdated).await.unwrap();
        let logins = of_kind(&store, EventKind::LoginSucceeded).await;
        let ids = |events: &[EventRecord]| sorted(events.iter().map(|event| event.session_id.unwrap()).collect());
        assert_eq!(ids(&logins), sorted(made.iter().chain([&own]).map(|session| session.id).collect()));
        let again = [revocation(made[0].id, RevokeReason::Logout), revocation(made[0].id, RevokeReason::Admin)];
        store.revoke_batch(&again, NOW).await.unwrap();
        revoke(&store, made[0].id, RevokeReason::Logout, NOW).await.unwrap();
        store.revoke_user(alice.id, NOW, &cause()).await.unwrap();
        let ended = of_kind(&store, EventKind::SessionRevoked).await;
        assert_eq!((ids(&ended), ended[0].user_id), (vec![made[0].id], Some(alice.id)));
        let together = of_kind(&store, EventKind::SessionsRevoked).await;
        assert_eq!(together.len(), 1);
        assert_eq!(detail(&together[0]), json!({ "reason": "admin", "count": 3 }));
        let of = |event: &EventRecord| {
            let id = event.id.simple().to_string();
            match db.kind() {
                DatabaseKind::Sqlite => format!("SELECT COUNT(*) FROM sessions WHERE revoked_event = x'{id}'"),
                DatabaseKind::Postgres => format!("SELECT COUNT(*) FROM sessions WHERE revoked_event = '{id}'"),
            }
        };
        let raw = db.raw().await;
        assert_eq!((raw.number(&of(&ended[0])).await, raw.number(&of(&together[0])).await), (1, 3));
    }

    async fn a_token_is_recorded_as_revoked_once(db: TestDatabase) {
        let store = db.store().await;
        let one = token();
        store.revoke_batch(&[revocation_of_token(one), revocation_of_token(one)], NOW).await.unwrap();
        store.revoke_batch(&[revocation_of_token(one)], NOW).await.unwrap();
        assert_eq!(event_names(&store).await, ["token.revoked"]);
    }

    /// If the event can't be written, what it records does not happen.
    async fn nothing_happens_without_its_event(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        let session = more_sessions(&store, &alice, &app, 1).await.remove(0);
        let before = pending(&store).await.len();
        let (spoil, repair) = sabotage(db.kind());
        store.run_sql(spoil).await.unwrap();
        let refused = |outcome: Result<(), StoreError>| assert!(outcome.is_err());
        refused(store.insert_session(login(&alice, &app)).await.map(drop));
        refused(revoke(&store, session.id, RevokeReason::Logout, NOW).await.map(drop));
        refused(store.revoke_batch(&[revocation_of_token(token())], NOW).await.map(drop));
        refused(store.change_password(alice.id, new_hash(&alice.password_hash, 5), NOW, &cause()).await.map(drop));
        refused(store.set_user_enabled(alice.id, false, NOW, &cause()).await.map(drop));
        refused(store.begin_revoking_client("app", NOW, &cause()).await.map(drop));
        refused(store.delete_user(alice.id, NOW, &cause()).await.map(drop));
        refused(store.declare_scope("s", "S", &cause()).await);
        refused(store.purge(new_keys("s", "r", NOW), &cause()).await.map(drop));
        refused(store.login_failed(&failed(bytes(), bytes(), NOW), NOW).await.map(drop));
        store.run_sql(repair).await.unwrap();
        assert_eq!(pending(&store).await.len(), before);
        assert_eq!(store.count_sessions(&SessionFilter::default()).await.unwrap(), 1, "a session without its event");
        assert_eq!(store.session(session.id).await.unwrap().unwrap().revoked, None);
        assert_eq!(store.user_by_id(alice.id).await.unwrap(), Some(alice));
        assert_eq!(store.head().await.unwrap().number, 0);
        assert!(!store.client("app").await.unwrap().unwrap().revoking);
    }

    async fn numbers_are_given_to_committed_events_only_and_each_once(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        // A login that has not committed yet.
        let open = db.raw().await;
        let id = Uuid::from_u128(0).simple().to_string();
        let id = if db.kind() == DatabaseKind::Sqlite { format!("x'{id}'") } else { format!("'{id}'") };
        if db.kind() == DatabaseKind::Postgres {
            open.execute("BEGIN").await;
            open.execute(&format!("INSERT INTO events_pending (id, at, event, actor_kind) VALUES ({id}, 1, 'late', 'cli')")).await;
        }
        more_sessions(&store, &alice, &app, 3).await;
        assert!(number_all(&store).await);
        assert_eq!(store.event_chain().await.unwrap().newest.number, 5);
        if db.kind() == DatabaseKind::Postgres {
            open.execute("COMMIT").await;
        } else {
            open.execute(&format!("INSERT INTO events_pending (id, at, event, actor_kind) VALUES ({id}, 1, 'late', 'cli')")).await;
        }
        assert!(number_all(&store).await);
        assert!(!number_all(&store).await, "nothing is left");
        let all = store.events_after(&ALL, 0, 100).await.unwrap();
        assert_eq!(all.iter().map(|event| event.number.unwrap()).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
        // It is the last one, although it happened before all others.
        assert_eq!((&*all[5].event, all[5].hash), ("late", Some([6; 32])));
        assert_eq!(store.count_pending_events().await.unwrap(), 0);
    }

    /// An event must not be copied to the log as it was before, and found nowhere meanwhile.
    /// Requests read the clock before they record an event, and those that run at once record them in any order.
    async fn who_ended_a_session_is_known_when_a_later_event_was_recorded_before(db: TestDatabase) {
        let store = db.store().await;
        let session = sessions(&store, 1).await.remove(0);
        let later = NewEvent::new(EventKind::LoginSucceeded, &cause_at(NOW * 1_000 + 7));
        store.record_events(&[later]).await.unwrap();
        revoke(&store, session.id, RevokeReason::Admin, NOW).await.unwrap();
        let tester = |ended: &HashMap<Uuid, EndedBy>| ended.get(&session.id).and_then(|by| by.name.clone());
        assert_eq!(tester(&store.ended_by(&[session.id]).await.unwrap()).as_deref(), Some("tester"));
        assert!(number_all(&store).await);
        assert_eq!(tester(&store.ended_by(&[session.id]).await.unwrap()).as_deref(), Some("tester"), "numbered");
    }

    async fn erasing_waits_for_events_that_get_their_numbers(db: TestDatabase) {
        let (store, numbering) = (db.store().await, db.raw().await);
        let person = id();
        let event = NewEvent::new(EventKind::UserChanged, &cause()).user(person).detail(json!({ "after": "alice" }));
        store.record_events(&[event]).await.unwrap();
        numbering.execute(if db.kind() == DatabaseKind::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" }).await;
        numbering.execute("UPDATE event_chain SET number = number").await;
        let mut erasing = tokio::spawn(async move { store.erase_events_of(person, 10).await });
        assert!(tokio::time::timeout(Duration::from_millis(300), &mut erasing).await.is_err(), "it did not wait");
        numbering.execute("COMMIT").await;
        assert_eq!(erasing.await.unwrap(), Ok(1));
    }

    async fn what_is_erased_while_it_gets_its_number_stays_erased(db: TestDatabase) {
        let (store, other) = (db.store().await, db.store().await);
        for _ in 0..10 {
            let person = id();
            let address = Some("192.0.2.1".to_owned());
            let actor = EventActor::User { id: person, name: Some("alice".into()) };
            let cause = Cause { actor, address, ..cause() };
            let event = NewEvent::new(EventKind::UserChanged, &cause).user(person).detail(json!({ "after": "alice" }));
            store.record_events(&vec![event; 40]).await.unwrap();
            let erase = async || while store.erase_events_of(person, 15).await.unwrap() > 0 {};
            futures_util::future::join(number_all(&other), erase()).await;
        }
        number_all(&store).await;
        let all = store.events_after(&ALL, 0, 10_000).await.unwrap();
        assert_eq!(all.len(), 10 * 40);
        for event in all {
            assert_eq!((&event.actor_name, &event.address, &event.detail), (&None, &None, &None));
            assert!(matches!((event.origin, event.detail_commitment), (Commitment::Erased(_), Commitment::Erased(_))));
        }
    }

    async fn of_two_sequencers_one_gives_the_numbers(db: TestDatabase) {
        let (one, other) = (db.store().await, db.store().await);
        let (alice, app) = alice_and_app(&one).await;
        for _ in 0..20 {
            more_sessions(&one, &alice, &app, 2).await;
            let (first, second) = futures_util::future::join(number_all(&one), number_all(&other)).await;
            assert!(first || second);
            if one.count_pending_events().await.unwrap() > 0 {
                number_all(&one).await;
            }
        }
        let numbers = one.events_after(&ALL, 0, 1_000).await.unwrap().into_iter().map(|event| event.number.unwrap());
        assert_eq!(numbers.collect::<Vec<_>>(), (1..=42).collect::<Vec<_>>());
    }

    async fn a_replaced_sequencer_gives_no_more_numbers(db: TestDatabase) {
        let store = db.store().await;
        alice_and_app(&store).await;
        let (old, new) = (Some(id()), Some(id()));
        assert!(store.replace_sequencer(None, old).await.unwrap());
        let as_old = store.event_chain().await.unwrap();
        assert!(!store.replace_sequencer(None, new).await.unwrap());
        assert!(store.replace_sequencer(old, new).await.unwrap());
        let waiting = pending(&store).await;
        let numbered = [Numbered { id: waiting[0].id, number: 1, hash: [1; 32] }];
        let newest = ChainEnd { number: 1, hash: [1; 32], seal: None };
        assert!(!store.number_events(&numbered, &as_old, newest).await.unwrap());
        assert_eq!(pending(&store).await, waiting);
        let as_new = store.event_chain().await.unwrap();
        assert!(store.number_events(&numbered, &as_new, newest).await.unwrap());
    }

    async fn events_are_read_by_what_they_are_about(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        let session = more_sessions(&store, &alice, &app, 1).await.remove(0);
        revoke(&store, session.id, RevokeReason::Logout, NOW).await.unwrap();
        number_all(&store).await;
        let names = async |filter: EventFilter| -> Vec<String> {
            store.events_after(&filter, 0, 100).await.unwrap().into_iter().map(|event| event.event).collect()
        };
        let (login, end) = ("login.succeeded".to_owned(), "session.revoked".to_owned());
        assert_eq!(names(EventFilter { event: Some("login.".into()), ..ALL }).await, std::slice::from_ref(&login));
        assert_eq!(sorted(names(EventFilter { session: Some(session.id), ..ALL }).await), [login, end]);
        assert_eq!(names(EventFilter { event: Some("login".into()), ..ALL }).await, [""; 0]);
        assert_eq!(names(EventFilter { user: Some(alice.id), ..ALL }).await.len(), 3);
        assert_eq!(names(EventFilter { client: Some("app".into()), ..ALL }).await.len(), 3);
        let newest = store.events_before(&ALL, None, 2).await.unwrap();
        assert_eq!(newest.iter().map(|event| event.number.unwrap()).collect::<Vec<_>>(), [4, 3]);
        assert_eq!(store.events_before(&ALL, Some(2), 9).await.unwrap().len(), 1);
    }

    async fn erasing_a_person_deletes_values_and_salts_and_leaves_others(db: TestDatabase) {
        let store = db.store().await;
        let (alice, bob) = (user("alice"), user("bob"));
        let by = |who: &ficha_store::UserRecord| Cause {
            actor: EventActor::User { id: who.id, name: Some(who.name.clone()) },
            ..cause()
        };
        let event = |kind, cause: &Cause, of: &ficha_store::UserRecord| {
            NewEvent::new(kind, cause).user(of.id).detail(json!({ "email": of.email }))
        };
        let events = [
            event(EventKind::LoginSucceeded, &by(&alice), &alice),
            event(EventKind::UserChanged, &by(&alice), &bob),
            event(EventKind::UserChanged, &by(&bob), &alice),
            event(EventKind::LoginFailed, &Cause { actor: EventActor::Anonymous, ..cause() }, &alice),
            event(EventKind::LoginSucceeded, &by(&bob), &bob),
        ];
        for have_numbers in [false, true] {
            store.record_events(&events).await.unwrap();
            if have_numbers {
                number_all(&store).await;
            }
            let before = store.all_events().await;
            while store.erase_events_of(alice.id, 2).await.unwrap() > 0 {}
            let after = store.all_events().await;
            for (before, after) in before.iter().zip(&after) {
                assert_eq!(before.origin_digest(), after.origin_digest());
                assert_eq!(before.detail_digest(), after.detail_digest());
                let (did, is_about) = (before.actor_id == Some(alice.id), before.user_id == Some(alice.id));
                let origin_gone = did || (is_about && before.actor_kind == "anonymous");
                assert_eq!(after.actor_name.is_none(), origin_gone || before.actor_name.is_none());
                assert_eq!(after.address.is_none(), origin_gone);
                assert_eq!(matches!(after.origin, Commitment::Erased(_)), origin_gone);
                assert_eq!(after.detail.is_none(), is_about);
                assert_eq!(matches!(after.detail_commitment, Commitment::Erased(_)), is_about);
            }
            let by_bob = after.iter().filter(|event| event.actor_name.as_deref() == Some("bob")).count();
            assert_eq!(by_bob, after.len() / 5 * 2);
        }
    }

    async fn what_an_erased_person_began_does_not_name_them_any_more(db: TestDatabase) {
        let store = db.store().await;
        let (alice, _) = alice_and_app(&store).await;
        let actor = EventActor::User { id: alice.id, name: Some("alice".into()) };
        let by_alice = Cause { actor, address: Some("192.0.2.1".into()), ..cause() };
        store.begin_revoking_client("app", NOW, &by_alice).await.unwrap().unwrap();
        let raw = db.raw().await;
        let named = "SELECT count(*) FROM bulk_revocations WHERE cause LIKE '%alice%' OR cause LIKE '%192.0.2.1%'";
        assert_eq!(raw.number(named).await, 1);
        store.erase_sessions_of(id(), 10).await.unwrap();
        assert_eq!(raw.number(named).await, 1, "somebody else");
        store.erase_sessions_of(alice.id, 10).await.unwrap();
        assert_eq!(raw.number(named).await, 0);
        let begun = format!("SELECT count(*) FROM bulk_revocations WHERE cause LIKE '%{}%'", alice.id);
        assert_eq!(raw.number(&begun).await, 1, "by whom, it is still known");
    }

    async fn old_events_are_pruned_by_one_of_two(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        more_sessions(&store, &alice, &app, 3).await;
        number_all(&store).await;
        let before = store.event_chain().await.unwrap().pruned;
        let end = ChainEnd { number: 3, hash: [3; 32], seal: Some([7; 32]) };
        assert_eq!(store.prune_events(before, end).await.unwrap(), 3);
        assert_eq!(store.prune_events(before, ChainEnd { number: 4, ..end }).await.unwrap(), 0);
        assert_eq!(store.event_chain().await.unwrap().pruned, end);
        assert_eq!(store.events_after(&ALL, 0, 10).await.unwrap().len(), 2);
    }

    async fn rows_of_the_previous_version_are_moved_once(db: TestDatabase) {
        let (one, other) = (db.store().await, db.store().await);
        let raw = db.raw().await;
        for (n, name) in ["user.added", "client.secret_changed", "refresh.replayed", "sessions.ended"].iter().enumerate() {
            let id = Uuid::from_u128(n as u128).simple().to_string();
            let id = if db.kind() == DatabaseKind::Sqlite { format!("x'{id}'") } else { format!("'{id}'") };
            raw.execute(&format!(
                "INSERT INTO audit (id, at, event, actor, address, detail) \
                 VALUES ({id}, {NOW}, '{name}', 'cli', '192.0.2.7', 'text')"
            ))
            .await;
        }
        let (moved, also) = futures_util::future::join(one.adopt_audit(100), other.adopt_audit(100)).await;
        assert_eq!(moved.unwrap() + also.unwrap(), 4);
        assert_eq!(one.adopt_audit(100).await.unwrap(), 0);
        assert_eq!(raw.number("SELECT COUNT(*) FROM audit").await, 0);
        let events = pending(&one).await;
        let names = sorted(events.iter().map(|event| event.event.clone()).collect());
        assert_eq!(names, ["client.secret_added", "refresh.replayed", "sessions.revoked", "user.created"]);
        assert!(events.iter().all(|event| event.at == NOW * 1_000 && event.actor_kind == "cli"));
        assert_eq!(detail(&events[0]), json!({ "text": "text" }));
    }
}

fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort_unstable();
    items
}
