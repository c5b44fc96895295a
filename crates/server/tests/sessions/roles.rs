//! A server whose role may use the tables and nothing else, as docs/src/how-to/run-on-postgresql.md describes it.

use ficha_store::testing::TestDatabase;
use ficha_testing::tester;

use crate::support::*;

const PAGE: &str = include_str!("../../../../docs/src/how-to/run-on-postgresql.md");

/// The statements of the page, for a role of another name and the tests' own owner.
fn grants(role: &str) -> Vec<String> {
    let lines = PAGE.lines().filter(|line| line.starts_with("GRANT ") || line.starts_with("ALTER DEFAULT PRIVILEGES "));
    lines.map(|line| line.replace("ficha_app", role).replace("FOR ROLE ficha ", "")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_with_the_documented_rights_can_serve() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let raw = database.raw().await;
    let (server, name) = database.url().rsplit_once('/').expect("a database");
    let role = format!("app_of_{}", name.split('?').next().expect("a name"));
    raw.execute(&format!("CREATE ROLE {role} LOGIN")).await;
    let statements = grants(&role);
    assert_eq!(statements.len(), 5, "{statements:?}");
    for statement in statements {
        raw.execute(&statement).await;
    }
    let (_, host) = server.rsplit_once('@').expect("a user");
    let url = format!("postgres://{role}@{host}/{name}");
    let app = ficha_testing::App::start_with(&database, |options| options.store_url = Some(url)).await;
    assert!(app.store.migrate().await.expect("nothing is missing").is_empty());
    app.add_user("alice", SCOPES).await;
    let client = jobs_client(&app, "app").await;
    let (first, second) = (app.login("alice").await, app.login_as(&client, "alice").await);
    own_token(&app, &client).await;
    refreshed(&app, &first.refresh).await;
    app.post_as(&client, "/revoke", &[("token", &second.refresh)]).await;
    eventually("it is revoked", async || app.me(&second.access).await == 401).await;
    app.authority.maintain_once(&mut None).await.expect("housekeeping");
    app.admin.rotate_key(&tester()).await.expect("a new key");
    app.admin.purge_keys(&tester()).await.expect("everything is revoked");
    eventually("the purge is in force", async || app.me(&first.access).await == 401).await;
    app.admin.delete_user(&tester(), "alice").await.expect("alice is removed");
    drop(app);
    let raw = database.raw().await;
    raw.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}
