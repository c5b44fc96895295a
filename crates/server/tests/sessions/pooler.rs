//! A pooler between the server and PostgreSQL.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use ficha_store::testing::TestDatabase;
use ficha_store::{Store, StoreError};
use ficha_testing::App;

use crate::support::*;

/// A running PgBouncer; dropping it stops it.
struct Pooler {
    port: u16,
    process: Child,
    _folder: tempfile::TempDir,
}

impl Pooler {
    /// In front of a test's database. `None`, with a message, if PgBouncer is not installed.
    fn start(database: &TestDatabase, mode: &str) -> Option<Self> {
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().find(|path| Path::new(path).exists());
        let Some(program) = program else {
            assert_ne!(std::env::var("FICHA_TEST_REQUIRE").as_deref(), Ok("all"), "PgBouncer is not installed");
            eprintln!("PgBouncer is not installed: the tests of poolers are skipped");
            return None;
        };
        let (_, address) = database.url().split_once('@').expect("a user");
        let (host, _) = address.split_once('/').expect("a database");
        let (host, port) = host.split_once(':').expect("a port");
        let folder = tempfile::tempdir().expect("a folder");
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).expect("a port").port();
        let file = folder.path().join("pgbouncer.ini");
        let settings = format!(
            "[databases]\n* = host={host} port={port} user=ficha\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {free}\nauth_type = any\npool_mode = {mode}\nunix_socket_dir =\n\
             ignore_startup_parameters = extra_float_digits\ndefault_pool_size = 40\n"
        );
        std::fs::write(&file, settings).expect("the file is written");
        let mut command = Command::new(program);
        // It refuses to run as root, and as another user it must be able to read its file.
        if rustix::process::getuid().is_root() {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("our folder");
            command.args(["--user", "nobody"]);
        }
        let process = command.arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        Some(Self { port: free, process, _folder: folder })
    }

    async fn url(&self, database: &TestDatabase) -> String {
        eventually("the pooler listens", async || {
            tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok()
        })
        .await;
        let name = database.url().rsplit_once('/').expect("a database").1;
        format!("postgres://ficha@127.0.0.1:{}/{name}", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_in_session_mode_works_and_in_transaction_mode_is_refused() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let Some(session) = Pooler::start(&database, "session") else { return };
    let url = session.url(&database).await;
    let app = App::start_with(&database, |options| options.store_url = Some(url)).await;
    app.add_user("alice", SCOPES).await;
    let tokens = app.login("alice").await;
    let direct = app.another(&database).await;
    direct.post("/revoke", &[("token", &tokens.refresh)]).await;
    eventually("it is rejected", async || app.me(&tokens.access).await == 401).await;

    for mode in ["transaction", "statement"] {
        let Some(pooler) = Pooler::start(&database, mode) else { return };
        let refused = Store::connect(&pooler.url(&database).await).await;
        let Err(StoreError::CantOpen { why, .. }) = refused else { panic!("{mode}: {refused:?}") };
        assert!(why.contains("session mode"), "{mode}: {why}");
    }
}
