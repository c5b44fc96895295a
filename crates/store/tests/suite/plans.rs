//! Every statement on a hot path finds its rows through an index, however many there are.

use ficha_store::testing::{Explained, TestDatabase};
use ficha_store::{
    ChainEnd, DatabaseKind, EventFilter, EventKind, NewEvent, Numbered, RevokeReason, SessionFilter, Store,
    on_both_databases,
};

use crate::support::{
    NOW, bytes, cause, client, failed, login, own_grant, revocation, revocation_of_token, rotation, terms, token, user,
};

const ROWS: i64 = 5_000;

/// Fills the tables that grow, and has the database analyze them.
async fn fill(store: &Store) {
    let (series, id, hex) = match store.kind() {
        DatabaseKind::Sqlite => (
            format!("WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS})"),
            "randomblob(16)",
            "hex(randomblob(8))",
        ),
        DatabaseKind::Postgres => (
            format!("WITH s(n) AS (SELECT * FROM generate_series(1, {ROWS}))"),
            "gen_random_uuid()",
            "gen_random_uuid()::text",
        ),
    };
    let hash = if store.kind() == DatabaseKind::Sqlite { "zeroblob(32)" } else { "decode(repeat('00', 32), 'hex')" };
    let no = if store.kind() == DatabaseKind::Sqlite { "0" } else { "false" };
    let yes = if store.kind() == DatabaseKind::Sqlite { "1" } else { "true" };
    for rows in [
        format!(
            "INSERT INTO sessions (id, user_id, subject, client_id, scopes, roles, audience, generation, rotated_at, \
             access_exp, epoch, created_at, expires_at, idle_expires_at, live_key) {series} SELECT {id}, {id}, {id}, {hex}, \
             'a', '', 'b', 0, 0, {NOW}, 0, 0, {NOW} + 9000, {NOW} + 9000, {hex} FROM s"
        ),
        format!(
            "INSERT INTO users (id, name, password_hash, password_cost, scopes, roles, enabled, auth_version, created_at) \
             {series} SELECT {id}, {hex}, 'h', 10, '', '', {yes}, 1, 0 FROM s"
        ),
        format!(
            "INSERT INTO clients (id, subject, grants, any_scope, scopes, serves, forwards_address, enabled, revoking, \
             auth_version, created_at) {series} SELECT {hex}, {id}, '', {no}, '', '', {no}, {yes}, {no}, 1, 0 FROM s"
        ),
        format!("INSERT INTO denylist (number, id, until, tag) {series} SELECT n, {id}, {NOW} + 500, n FROM s"),
        format!("UPDATE denylist_head SET number = {ROWS}, tag = {ROWS}"),
        format!(
            "INSERT INTO login_failures (account, source, failures, last_failure, succeeded_at, touched_at) {series} \
             SELECT {id}, {id}, 1, 1, 1, n FROM s"
        ),
        format!(
            "INSERT INTO events (id, number, hash, at, event, actor_kind, user_id, client_id, session_id) {series} \
             SELECT {id}, n, {hash}, n, {hex}, 'cli', {id}, {hex}, {id} FROM s"
        ),
        format!("UPDATE event_chain SET number = {ROWS}"),
        "ANALYZE".into(),
    ] {
        store.run_sql(&rows).await.unwrap();
    }
}

/// True if the plan scans the whole of a table that grows.
fn scans(explained: &Explained, kind: DatabaseKind) -> bool {
    let growing = ["sessions", "users", "clients", "denylist", "login_failures", "events"];
    explained.plan.lines().any(|line| {
        growing.iter().any(|table| match kind {
            DatabaseKind::Sqlite => {
                // A scan in the order of an index that ends at a LIMIT does not read the whole table.
                let line = line.trim();
                let whole_index = line.starts_with(&format!("SCAN {table} USING")) && !explained.sql.contains("LIMIT");
                line == format!("SCAN {table}") || whole_index
            }
            DatabaseKind::Postgres => line.contains(&format!("Seq Scan on {table} ")),
        })
    })
}

async fn check(store: &Store, what: &str, work: impl AsyncFnOnce(&Store)) {
    let explained = store.explain(work).await.unwrap();
    assert!(!explained.is_empty(), "{what} ran nothing");
    for one in &explained {
        assert!(!scans(one, store.kind()), "{what}: {}\n{}", one.sql, one.plan);
    }
}

on_both_databases! {
    async fn no_statement_of_a_hot_path_scans(db: TestDatabase) {
        let store = db.store().await;
        fill(&store).await;
        let (alice, app) = (user("alice"), client("app"));
        check(&store, "add_user", async |store| assert!(store.add_user(alice.clone(), 10, &cause()).await.unwrap())).await;
        check(&store, "add_client", async |store| assert!(store.add_client(app.clone(), &cause()).await.unwrap())).await;
        check(&store, "users_by_name", async |store| {
            assert_eq!(store.users_by_name("alice", "alice").await.unwrap().len(), 1);
            assert_eq!(store.users_by_name("Zoe\u{308}", "Zo\u{eb}").await.unwrap().len(), 0);
        })
        .await;
        check(&store, "user_by_id", async |store| assert!(store.user_by_id(alice.id).await.unwrap().is_some())).await;
        check(&store, "client", async |store| assert!(store.client("app").await.unwrap().is_some())).await;
        check(&store, "cost", async |store| assert_eq!(store.highest_password_cost().await.unwrap(), Some(10))).await;
        check(&store, "head", async |store| assert_eq!(store.head().await.unwrap().number, ROWS)).await;
        let new = login(&alice, &app);
        let session = new.session.clone();
        check(&store, "insert_session", async |store| {
            crate::support::inserted(store.insert_session(new).await.unwrap());
        })
        .await;
        check(&store, "session", async |store| assert!(store.session(session.id).await.unwrap().is_some())).await;
        check(&store, "list_sessions", async |store| {
            let filter = SessionFilter { user: Some(alice.id), live_at: Some(NOW), ..SessionFilter::default() };
            assert_eq!(store.list_sessions(&filter, None, 10).await.unwrap().len(), 1);
            let filter = SessionFilter { client: Some("app".into()), ..SessionFilter::default() };
            assert_eq!(store.list_sessions(&filter, Some(uuid::Uuid::max()), 10).await.unwrap().len(), 1);
        })
        .await;
        check(&store, "client_session", async |store| {
            for need in [NOW + 5, NOW + 5, NOW + 2_000] {
                let outcome = store.client_session(own_grant(&app), NOW, need, need + 100).await;
                crate::support::inserted(outcome.unwrap());
            }
        })
        .await;
        check(&store, "login_failed", async |store| {
            store.login_failed(&failed(bytes(), bytes(), NOW), NOW).await.unwrap();
            store.login_history(bytes(), bytes()).await.unwrap();
            store.login_succeeded(bytes(), bytes(), NOW).await.unwrap();
        })
        .await;
        check(&store, "apply", async |store| {
            let work = [revocation(session.id, RevokeReason::Logout), revocation_of_token(token())];
            assert_eq!(store.revoke_batch(&work, NOW).await.unwrap().newly, [true, true]);
        })
        .await;
        check(&store, "revoke_user", async |store| {
            store.revoke_user(alice.id, NOW, &cause()).await.unwrap().unwrap();
        })
        .await;
    }

    async fn a_refresh_finds_its_rows_by_their_ids_whatever_the_batch_size(db: TestDatabase) {
        let store = db.store().await;
        fill(&store).await;
        let all = store.list_sessions(&SessionFilter::default(), None, 600).await.unwrap();
        for size in [1, 3, 64, 256] {
            let batch: Vec<_> = all[..size].iter().map(rotation).collect();
            check(&store, &format!("a batch of {size}"), async |store| {
                store.rotate_sessions(&batch, terms(NOW)).await.unwrap();
            })
            .await;
        }
    }

    async fn following_the_denylist_reads_only_what_is_new(db: TestDatabase) {
        let store = db.store().await;
        fill(&store).await;
        check(&store, "deny_rows_after", async |store| {
            assert_eq!(store.deny_rows_after(ROWS - 3, 100).await.unwrap().len(), 3);
        })
        .await;
        check(&store, "live_deny_rows", async |store| {
            assert_eq!(store.live_deny_rows(NOW, ROWS - 3, 100).await.unwrap().len(), 3);
        })
        .await;
        check(&store, "live_deny_rows_after", async |store| {
            let after = (ROWS - 3, ROWS - 3);
            assert_eq!(store.live_deny_rows_after(NOW, after, 100).await.unwrap().map(|rows| rows.len()), Some(3));
        })
        .await;
        check(&store, "deny_row_exists", async |store| assert!(store.deny_row_exists(7, 7).await.unwrap())).await;
        check(&store, "events", async |store| {
            let all = EventFilter::default();
            assert_eq!(store.events_after(&all, ROWS - 3, 100).await.unwrap().len(), 3);
            assert_eq!(store.events_before(&all, Some(ROWS), 5).await.unwrap().len(), 5);
            let id = uuid::Uuid::from_u128(1);
            for filter in [
                EventFilter { event: Some("login.failed".into()), ..EventFilter::default() },
                EventFilter { user: Some(id), ..EventFilter::default() },
                EventFilter { client: Some("app".into()), ..EventFilter::default() },
                EventFilter { session: Some(id), ..EventFilter::default() },
                EventFilter { actor: Some(id), ..EventFilter::default() },
                EventFilter { about: Some(id), ..EventFilter::default() },
            ] {
                assert_eq!(store.events_after(&filter, 0, 5).await.unwrap(), []);
                assert_eq!(store.events_before(&filter, None, 5).await.unwrap(), []);
            }
            assert_eq!(store.event_numbers_within(Some(i64::MAX - 1), None).await.unwrap(), None);
            assert_eq!(store.erase_events_of(id, 5).await.unwrap(), 0);
            store.record_events(&[NewEvent::new(EventKind::LoginFailed, &cause())]).await.unwrap();
            let pending = store.pending_events(100).await.unwrap();
            let chain = store.event_chain().await.unwrap();
            let numbered = Numbered { id: pending[0].id, number: ROWS + 1, hash: [1; 32] };
            let newest = ChainEnd { number: ROWS + 1, hash: [1; 32], seal: None };
            assert!(store.number_events(&[numbered], &chain, newest).await.unwrap());
            assert_eq!(store.report_failures(NOW * 1_000, 10).await.unwrap(), 0);
        })
        .await;
        check(&store, "list_users", async |store| assert_eq!(store.list_users(None, 5).await.unwrap().len(), 5)).await;
    }
}
