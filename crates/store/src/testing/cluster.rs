//! Private PostgreSQL clusters: one that is started once in a test process, and for some tests a primary and its standby.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{ConnectOptions, Connection};

/// The keeper's script. It runs the server until our end of its standard input is closed, which the system does however
/// this process ends. Arguments: the folder of the binaries, our folder, the port, and whether to wait for the disk.
const KEEPER: &str = r#"
"$1/postgres" -D "$2/data" -p "$3" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync="$4" \
    -c full_page_writes="$4" -c max_connections=400 -c shared_buffers=64MB >"$2/log" 2>&1 </dev/null &
cat >/dev/null
"$1/pg_ctl" stop -D "$2/data" -m immediate >/dev/null 2>&1
wait
rm -rf "$2"
"#;

/// How many ports are tried: another process may take the free one before the server does.
const ATTEMPTS: u32 = 5;

/// A PostgreSQL server of its own. Dropping it stops the server and removes its files.
#[derive(Debug)]
pub struct Cluster {
    /// The URL of its database `postgres`.
    pub url: String,
    port: u16,
    folder: PathBuf,
    binaries: PathBuf,
    user: Option<(u32, u32)>,
    keeper: Option<Child>,
}

/// The URL of the cluster that all tests of this process share. The error says what is missing.
pub(super) fn shared() -> Result<String, String> {
    // Never dropped: the keeper stops it once this process has ended.
    static SHARED: OnceLock<Result<Cluster, String>> = OnceLock::new();
    SHARED.get_or_init(Cluster::start).as_ref().map(|cluster| cluster.url.clone()).map_err(Clone::clone)
}

impl Cluster {
    /// A new, empty cluster. The error says what is missing.
    pub fn start() -> Result<Self, String> {
        let initdb = |binaries: &Path| {
            let mut initdb = Command::new(binaries.join("initdb"));
            initdb.args(["--username=ficha", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"]);
            initdb
        };
        Self::attempt(initdb)
    }

    /// A hot standby, which receives what this server commits.
    pub fn standby(&self) -> Result<Self, String> {
        let backup = |binaries: &Path| {
            let mut backup = Command::new(binaries.join("pg_basebackup"));
            backup.args(["--host=127.0.0.1", "--username=ficha", "--checkpoint=fast", "--no-sync"]);
            backup.args(["--write-recovery-conf", "--wal-method=stream"]).arg(format!("--port={}", self.port));
            backup.arg("-D");
            backup
        };
        Self::attempt(backup)
    }

    fn attempt(fill: impl Fn(&Path) -> Command) -> Result<Self, String> {
        let binaries = find_binaries().ok_or("no initdb in PATH, pg_config --bindir or /usr/lib/postgresql")?;
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            match start_in(&binaries, fill(&binaries)) {
                Ok(cluster) => return Ok(cluster),
                Err(why) => last = why,
            }
        }
        Err(last)
    }

    /// Makes a standby the primary.
    pub fn promote(&self) {
        let mut promote = Command::new(self.binaries.join("pg_ctl"));
        promote.args(["promote", "--wait", "-D"]).arg(self.folder.join("data"));
        promote.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
        let done = run_as(&mut promote, self.user).status();
        assert!(done.is_ok_and(|status| status.success()), "the standby can be promoted");
    }

    /// Its address.
    pub fn address(&self) -> (String, u16) {
        ("127.0.0.1".into(), self.port)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            stop(keeper);
        }
    }
}

/// `fill` is a command that writes the cluster's files into the folder that is added to it.
fn start_in(binaries: &Path, mut fill: Command) -> Result<Cluster, String> {
    let folder = tempfile::Builder::new().prefix("ficha-postgres-").tempdir().map_err(|error| error.to_string())?;
    let user = other_user(folder.path())?;
    fill.arg(folder.path().join("data")).current_dir(folder.path()).stdin(Stdio::null());
    let done = run_as(&mut fill, user).output().map_err(|error| format!("{fill:?}: {error}"))?;
    if !done.status.success() {
        let why = String::from_utf8_lossy(&done.stderr).lines().last().unwrap_or("failed").to_owned();
        return Err(format!("{:?}: {why}", fill.get_program()));
    }
    let port = free_port().map_err(|error| error.to_string())?;
    let fsync = if std::env::var("FICHA_TEST_POSTGRES_FSYNC").is_ok_and(|on| on == "on") { "on" } else { "off" };
    let mut keeper = Command::new("sh");
    keeper.args(["-c", KEEPER, "keeper"]).arg(binaries).arg(folder.path()).arg(port.to_string()).arg(fsync);
    keeper.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Outside our process group: Ctrl-C ends the tests, and the keeper then cleans up.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut keeper, 0);
    let keeper = run_as(&mut keeper, user).spawn().map_err(|error| format!("sh: {error}"))?;
    // From here on the keeper removes the folder.
    let folder = folder.keep();
    let url = format!("postgres://ficha@127.0.0.1:{port}/postgres?sslmode=disable");
    if answers(&url) {
        let binaries = binaries.to_owned();
        return Ok(Cluster { url, port, folder, binaries, user, keeper: Some(keeper) });
    }
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    stop(keeper);
    Err(format!("the server did not start: {}", log.lines().last().unwrap_or("no log")))
}

fn stop(mut keeper: Child) {
    drop(keeper.stdin.take());
    let _ = keeper.wait();
}

/// Waits for the server's first answer, for about 30 seconds at most.
fn answers(url: &str) -> bool {
    let url = url.to_owned();
    // On a separate thread: a test's runtime may be running this.
    let waiting = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let target: PgConnectOptions = url.parse().ok()?;
        runtime.block_on(async {
            for _ in 0..300 {
                let connected: Result<PgConnection, _> = target.clone().disable_statement_logging().connect().await;
                if let Ok(connection) = connected {
                    return connection.close().await.ok();
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            None
        })
    });
    matches!(waiting.join(), Ok(Some(())))
}

fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// The folder that contains `initdb`, `postgres` and `pg_ctl`; that of the newest version if there are several.
fn find_binaries() -> Option<PathBuf> {
    let in_path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let by_config = Command::new("pg_config").arg("--bindir").stderr(Stdio::null()).output().ok();
    let by_config = by_config.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let mut of_debian: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok())
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    of_debian.sort();
    let all: Vec<PathBuf> = in_path;
    let all = all.into_iter().chain(by_config).chain(of_debian.into_iter().rev().map(|(_, folder)| folder));
    all.into_iter().find_map(|folder| {
        // The entry in PATH may be a link to one program; the server is next to its target.
        let initdb = folder.join("initdb").canonicalize().ok()?;
        let folder = initdb.parent()?.to_owned();
        ["postgres", "pg_ctl"].iter().all(|name| folder.join(name).exists()).then_some(folder)
    })
}

/// PostgreSQL refuses to run as root. In that case it runs as another user, who owns the folder.
#[cfg(unix)]
fn other_user(folder: &Path) -> Result<Option<(u32, u32)>, String> {
    use std::os::unix::fs::MetadataExt;
    let owner = std::fs::metadata(folder).map_err(|error| error.to_string())?.uid();
    if owner != 0 {
        return Ok(None);
    }
    let user = postgres_user();
    let (uid, gid) = user.ok_or("the tests run as root, and there is no user postgres or nobody to run PostgreSQL")?;
    std::os::unix::fs::chown(folder, Some(uid), Some(gid)).map_err(|error| error.to_string())?;
    Ok(Some((uid, gid)))
}

/// The user and group ids under which PostgreSQL runs if we are root.
#[cfg(unix)]
fn postgres_user() -> Option<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    ["postgres", "nobody"].iter().find_map(|name| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

#[cfg(not(unix))]
fn postgres_user() -> Option<(u32, u32)> {
    None
}

#[cfg(not(unix))]
fn other_user(_folder: &Path) -> Result<Option<(u32, u32)>, String> {
    Err("a private cluster needs Unix".into())
}

fn run_as(command: &mut Command, user: Option<(u32, u32)>) -> &mut Command {
    #[cfg(unix)]
    if let Some((uid, gid)) = user {
        std::os::unix::process::CommandExt::uid(command, uid);
        std::os::unix::process::CommandExt::gid(command, gid);
    }
    #[cfg(not(unix))]
    let _ = user;
    command
}
