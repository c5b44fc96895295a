//! Another database in the primary's place: a standby that lags, a standby that was promoted without the last commits.
//! SQLite has neither.

use std::time::Duration;

use ficha_store::testing::{Cluster, TestDatabase};
use ficha_testing::wire::Wire;
use ficha_testing::{App, Tokens, error, stays, tester};

use crate::support::*;

/// A primary and its standby, a server that reaches either of them by a name that can move, and a server that always
/// reaches the primary.
struct Pair {
    app: App,
    direct: App,
    wire: Wire,
    database: TestDatabase,
    // Dropped last.
    primary: Cluster,
    standby: Cluster,
}

/// `None` if there is no PostgreSQL here.
async fn pair() -> Option<Pair> {
    // It says what is missing, and whether that is a failure.
    TestDatabase::postgres().await?;
    let primary = tokio::task::spawn_blocking(Cluster::start).await.expect("no panic").expect("a second cluster");
    let database = TestDatabase::postgres_on(&primary).await;
    let direct = app_with_alice(&database).await;
    let wire = Wire::to(&database).await;
    let app = direct.another_with(&database, |options| options.store_url = Some(wire.url())).await;
    let (primary, standby) = tokio::task::spawn_blocking(|| {
        let standby = primary.standby();
        (primary, standby.expect("a standby of it"))
    })
    .await
    .expect("no panic");
    Some(Pair { app, direct, wire, database, primary, standby })
}

impl Pair {
    async fn on_standby(&self, sql: &str) {
        self.database.raw_on(&self.standby).await.execute(sql).await;
    }

    /// Waits until the standby has everything that the primary has committed.
    async fn caught_up(&self) {
        let raw = self.database.raw().await;
        eventually("the standby has caught up", async || {
            let behind = "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn()";
            raw.number(behind).await == 1
        })
        .await;
    }

    /// The standby receives nothing from now on.
    async fn cut_off(&self) {
        self.caught_up().await;
        self.on_standby("ALTER SYSTEM SET primary_conninfo = ''").await;
        self.on_standby("SELECT pg_reload_conf()").await;
        let raw = self.database.raw().await;
        eventually("nothing is replicated", async || raw.number("SELECT count(*) FROM pg_stat_replication").await == 0)
            .await;
    }

    /// The standby becomes the primary, and the name moves to it. What was read before is older than two seconds.
    async fn fail_over(&self) {
        self.standby.promote();
        self.wire.move_to(self.standby.address());
        self.wire.cut();
        self.app.clock.advance(seconds(3));
    }

    /// A server that is started on the promoted standby.
    async fn after(&self) -> App {
        let url = self.database.url_on(&self.standby);
        self.direct.another_with(&self.database, |options| options.store_url = Some(url)).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_in_the_primarys_place_is_never_vouched_for() {
    let Some(pair) = pair().await else { return };
    let (app, direct) = (&pair.app, &pair.direct);
    let client = jobs_client(app, "app").await;
    let tokens = app.login_as(&client, "alice").await;
    let kept = app.login("alice").await;
    pair.caught_up().await;
    pair.on_standby("SELECT pg_wal_replay_pause()").await;
    pair.wire.move_to(pair.standby.address());
    pair.wire.cut();
    assert_eq!(direct.post_as(&client, "/revoke", &[("token", &tokens.refresh)]).await.status(), 200);

    // The last read of the primary is older than two seconds.
    app.clock.advance(seconds(3));
    stays("unavailable", Duration::from_secs(4), async || {
        let introspected = app.post_as(&client, "/introspect", &[("token", tokens.access.as_str())]).await;
        let login = app.post("/token", &[("grant_type", "password"), ("username", "alice"), ("password", "x")]).await;
        let statuses = [
            app.me(&tokens.access).await.as_u16(),
            app.me(&kept.access).await.as_u16(),
            introspected.status().as_u16(),
            login.status().as_u16(),
            app.get("/health/ready").await.status().as_u16(),
        ];
        statuses == [503; 5]
    })
    .await;

    // No connection to the standby stays in use.
    pair.wire.move_to(pair.primary.address());
    eventually("it is rejected", async || app.me(&tokens.access).await == 401).await;
    eventually("it is ready", async || app.get("/health/ready").await.status() == 200).await;
    for _ in 0..20 {
        assert_eq!(app.me(&kept.access).await, 200);
        assert_eq!(app.me(&tokens.access).await, 401);
        error(refresh_as(app, &client, &tokens.refresh).await, 400, "invalid_grant").await;
    }
    assert_eq!(metric(app, "ficha_database_history_changes_total").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_becomes_read_only_is_not_vouched_for() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let app = app_with_alice(&database).await;
    let tokens = app.login("alice").await;
    let raw = database.raw().await;
    let set = async |value: &str| {
        let alter = format!(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = {value}', \
             current_database()); END $$"
        );
        raw.execute(&alter).await;
        // In a transaction of its own: who connects anew must find the setting.
        let terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                         WHERE datname = current_database() AND pid <> pg_backend_pid()";
        raw.execute(terminate).await;
    };
    set("on").await;
    app.clock.advance(seconds(3));
    stays("unavailable", Duration::from_secs(1), async || app.me(&tokens.access).await == 503).await;
    raw.execute("SET default_transaction_read_only = off").await;
    set("off").await;
    eventually("it is back", async || app.me(&tokens.access).await == 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revocations_that_a_failover_lost_are_written_again_before_the_server_answers() {
    let Some(pair) = pair().await else { return };
    let app = &pair.app;
    let (lost, kept) = (app.login("alice").await, app.login("alice").await);
    let lone = app.login("alice").await;
    pair.cut_off().await;
    assert_eq!(app.post("/revoke", &[("token", &lost.refresh)]).await.status(), 200);
    assert_eq!(app.post("/revoke", &[("token", &lone.access)]).await.status(), 200);
    pair.fail_over().await;

    let rejected = async |tokens: &Tokens| app.me(&tokens.access).await != 200;
    eventually("it serves again", async || {
        assert!(rejected(&lost).await && rejected(&lone).await, "a lost revocation is forgotten");
        app.me(&kept.access).await == 200
    })
    .await;
    assert_eq!(metric(app, "ficha_database_history_changes_total").await, 1);
    // Nobody who asks the new primary alone accepts them either, and the session has ended there.
    let after = pair.after().await;
    assert_eq!(after.me(&kept.access).await, 200);
    assert_eq!(after.me(&lone.access).await, 401);
    for server in [app, &after] {
        assert_dead(server, &lost).await;
    }
    refreshed(app, &kept.refresh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_that_a_failover_lost_is_repeated_once_by_all_servers() {
    let Some(pair) = pair().await else { return };
    let app = &pair.app;
    let second = app.another_with(&pair.database, |options| options.store_url = Some(pair.wire.url())).await;
    let before = app.login("alice").await;
    pair.cut_off().await;
    app.admin.purge_keys(&tester()).await.expect("everything is revoked");
    eventually("the second knows", async || second.me(&before.access).await == 401).await;
    pair.fail_over().await;

    for server in [app, &second] {
        eventually("it serves again", async || {
            assert_ne!(server.me(&before.access).await, 200, "what was purged is valid again");
            server.get("/health/ready").await.status() == 200 && server.refresh("x").await.status() == 400
        })
        .await;
    }
    for server in [app, &second] {
        assert_dead(server, &before).await;
        let new = server.login("alice").await;
        for other in [app, &second] {
            eventually("both accept a new token", async || other.me(&new.access).await == 200).await;
        }
        refreshed(server, &new.refresh).await;
    }
    let after = pair.after().await;
    assert_dead(&after, &before).await;
    let purges = after.store.all_events().await;
    assert_eq!(purges.iter().filter(|event| event.event == "key.purged").count(), 1, "{purges:?}");
}
