//! A temporary PostgreSQL cluster that syncs to its disk, can be killed with all its processes, and restarts.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use crate::server::now;

/// Long, for machines that are building at the same time.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The keeper's script: it removes the cluster once its standard input is closed, which the system does however this
/// process ends. The arguments are the folder of the binaries and that of the cluster.
const KEEPER: &str = r#"
cat >/dev/null
"$1/pg_ctl" stop -D "$2/data" -m immediate >/dev/null 2>&1
rm -rf "$2"
"#;

/// The role does not wait until its commits are written, so the server must ensure that itself. The second line shows
/// whether the change was made.
const WEAKEN: &str = "ALTER ROLE ficha SET synchronous_commit = off\nSELECT setconfig FROM pg_db_role_setting\n";

/// A user id and a group id.
type Owner = (u32, u32);

/// A cluster; dropping it removes the cluster.
pub struct Cluster {
    binaries: PathBuf,
    folder: PathBuf,
    /// The user it runs as, if not the current one.
    owner: Option<Owner>,
    port: u16,
    /// `None` while it is down.
    postmaster: Option<Child>,
    keeper: Child,
}

impl Cluster {
    /// Creates and starts a cluster, or returns what is missing for that.
    #[track_caller]
    pub fn new() -> Result<Self, &'static str> {
        if status(std::process::id()).is_none() {
            return Err("/proc, needed to find PostgreSQL's processes,");
        }
        let binaries = find_binaries().ok_or("PostgreSQL's initdb")?;
        let folder = tempfile::Builder::new().prefix("ficha-cluster-").tempdir().unwrap();
        let owner = other_user(folder.path())?;
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(&binaries).arg(folder.path()).current_dir("/");
        // In its own process group: Ctrl-C ends the test, and the keeper then cleans up.
        keeper.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let keeper = run_as(&mut keeper, owner).spawn().unwrap();
        // From here on the keeper removes the folder.
        let folder = folder.keep();
        let mut cluster = Self { binaries, folder, owner, port: free_port(), postmaster: None, keeper };
        cluster.initialize();
        cluster.start();
        Ok(cluster)
    }

    /// The database URL for the server.
    pub fn url(&self) -> String {
        format!("postgres://ficha@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    #[track_caller]
    fn initialize(&self) {
        let mut initdb = self.command("initdb");
        initdb.args(["--username=ficha", "--auth=trust", "--encoding=UTF8", "--locale=C", "-D"]).arg(self.data());
        let done = initdb.output().unwrap();
        assert!(done.status.success(), "initdb: {}", String::from_utf8_lossy(&done.stderr));

        let statements = self.folder.join("statements");
        fs::write(&statements, WEAKEN).unwrap();
        let mut single = self.command("postgres");
        single.args(["--single", "-D"]).arg(self.data()).arg("postgres").stdin(File::open(&statements).unwrap());
        let done = single.output().unwrap();
        let (said, errors) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(said.contains("{synchronous_commit=off}"), "the role was not changed: {said}\n{errors}");
    }

    /// Starts it unless it is running, and waits until it has recovered and accepts connections.
    #[track_caller]
    pub fn start(&mut self) {
        if self.postmaster.is_some() {
            return;
        }
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).arg("-p").arg(self.port.to_string());
        for setting in [
            "fsync=on",
            "full_page_writes=on",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=100",
        ] {
            command.args(["-c", setting]);
        }
        let mut postmaster = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let begin = now();
        while !self.is_accepting(postmaster.id()) {
            let has_exited = postmaster.try_wait().unwrap().is_some();
            if has_exited || begin.elapsed() > PATIENCE {
                // The keeper stops it if it is still running.
                panic!("PostgreSQL did not start: {}", self.end_of_log());
            }
            thread::sleep(LOOK_EVERY);
        }
        self.postmaster = Some(postmaster);
    }

    /// Kills all its processes with SIGKILL (kill -9), as a power cut would, and waits until they are gone: PostgreSQL
    /// does not start again while one of them is left.
    #[track_caller]
    pub fn kill(&mut self) {
        let ended = self.postmaster.as_mut().and_then(|postmaster| postmaster.try_wait().unwrap());
        assert!(ended.is_none(), "PostgreSQL exited by itself ({ended:?}): {}", self.end_of_log());
        let Some(postmaster) = &mut self.postmaster else { return };
        let pid = postmaster.id();
        // While it is stopped, it creates no more children, and the ids of those that exit are not reused.
        signal("STOP", &[pid]);
        wait_until("PostgreSQL is stopped", || status(pid).is_none_or(|(state, _)| matches!(state, 'T' | 'Z')));
        let mut all = vec![pid];
        all.extend(children_of(pid));
        signal("KILL", &all);
        postmaster.wait().unwrap();
        self.postmaster = None;
        // Their new parent process may not reap them.
        let is_gone = |pid: &u32| status(*pid).is_none_or(|(state, _)| matches!(state, 'Z' | 'X'));
        wait_until("PostgreSQL's processes are gone", || all.iter().all(is_gone));
    }

    /// The end of its log.
    pub fn end_of_log(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// True if this postmaster has recorded that it accepts connections. A killed one has left its own file behind.
    fn is_accepting(&self, postmaster: u32) -> bool {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let mut lines = text.lines();
        let pid = lines.next().and_then(|line| line.trim().parse::<u32>().ok());
        pid == Some(postmaster) && lines.nth(6).is_some_and(|line| line.trim() == "ready")
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.binaries.join(name));
        run_as(&mut command, self.owner);
        command.current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.postmaster.is_none() {
            // The keeper must not mistake another process for the killed one.
            let stale = self.data().join("postmaster.pid");
            let is_stale = fs::read_to_string(&stale).is_ok_and(|text| {
                let pid = text.lines().next().and_then(|line| line.trim().parse().ok());
                pid.and_then(status).is_none_or(|(_, parent)| parent != std::process::id())
            });
            if is_stale {
                let _ = fs::remove_file(stale);
            }
        }
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
        if let Some(postmaster) = &mut self.postmaster {
            // It has exited, unless the keeper could not stop it.
            let _ = postmaster.kill();
            let _ = postmaster.wait();
        }
    }
}

/// A process's state and its parent, from /proc; `None` if there is no such process.
fn status(pid: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may contain any character.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn children_of(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().map_while(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| status(*pid).is_some_and(|(_, found)| found == parent)).collect()
}

#[track_caller]
fn signal(name: &str, pids: &[u32]) {
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    let kill = format!("kill -{name} {}", pids.join(" "));
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
}

#[track_caller]
fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let begin = now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        thread::sleep(LOOK_EVERY);
    }
}

/// A free port below the ephemeral range, so that no other process gets it while the cluster is down. No two calls in
/// one process return the same: tests run side by side, and a port is not taken before `initdb` is done.
fn free_port() -> u16 {
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 10_000;
    static TRIED: AtomicU32 = AtomicU32::new(0);
    // Each test process starts at a different port, far from that of the next process id.
    let begin = std::process::id().wrapping_mul(97);
    let ports = (0..COUNT).filter_map(|_| {
        let step = begin.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed));
        u16::try_from(FIRST + step % COUNT).ok()
    });
    let mut free = ports.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().unwrap()
}

/// The folder with `initdb`, `postgres` and `pg_ctl`; that of the newest version if there are several.
fn find_binaries() -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    if let Ok(said) = Command::new("pg_config").arg("--bindir").stderr(Stdio::null()).output() {
        folders.push(PathBuf::from(String::from_utf8_lossy(&said.stdout).trim()));
    }
    let entries = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().map_while(Result::ok);
    let mut of_debian: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    of_debian.sort();
    folders.extend(of_debian.into_iter().rev().map(|(_, folder)| folder));
    folders.iter().find_map(|folder| {
        // In PATH there may be only a link to one of them; the server is next to the link's target.
        let folder = folder.join("initdb").canonicalize().ok()?.parent()?.to_owned();
        ["postgres", "pg_ctl"].iter().all(|name| folder.join(name).exists()).then_some(folder)
    })
}

/// PostgreSQL does not run as root. As root, gives the folder to another user, and returns that user.
fn other_user(folder: &Path) -> Result<Option<Owner>, &'static str> {
    if fs::metadata(folder).unwrap().uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let owner: Option<Owner> = ["postgres", "nobody"].iter().find_map(|name| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    let (uid, gid) = owner.ok_or("a user postgres or nobody (needed when running as root)")?;
    chown(folder, Some(uid), Some(gid)).unwrap();
    Ok(owner)
}

fn run_as(command: &mut Command, owner: Option<Owner>) -> &mut Command {
    if let Some((uid, gid)) = owner {
        command.uid(uid).gid(gid);
    }
    command
}
