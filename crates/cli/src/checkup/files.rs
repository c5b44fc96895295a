//! Files with secrets, certificates, and the disk.

use std::path::{Path, PathBuf};

use ficha_authority::Store;
use ficha_token::{Clock, SystemClock};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::Configuration;
use crate::finding::Finding;

/// How long before a certificate ends that is a warning.
const SOON_DAYS: i64 = 14;

/// Every finding about files.
pub fn check(configuration: &Configuration) -> Vec<Finding> {
    let mut found = tls(configuration);
    found.extend(descriptors());
    found.extend(master_key(configuration));
    if let Some(path) = Store::sqlite_file(configuration.store_url.expose()) {
        for name in ["", "-wal", "-shm"] {
            let file = PathBuf::from(format!("{}{name}", path.display()));
            found.extend(readable("database.readable", "the database", &file));
        }
        found.extend(disk(&path));
    }
    if let Some(file) = &configuration.store_url_file {
        found.extend(readable("url_file.readable", "the file with the database's URL", file));
    }
    for (setting, file) in configuration.shown.secrets_in_files() {
        // The content of this file is checked above.
        if configuration.store_url_file.is_none() || setting != "store.url" {
            found.extend(readable("settings.readable", &format!("the value of {setting} in"), &file));
        }
    }
    found
}

/// How many files this process may open, once it has raised its own limit as the server does.
#[cfg(unix)]
fn descriptors() -> Option<Finding> {
    const FEW: u64 = 4_096;
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum?;
    let what =
        || format!("this process may open {most} files: each connection is one, and so is each held poll of a service");
    (most < FEW)
        .then(|| Finding::warning("files.few", what(), "raise the limit: LimitNOFILE in systemd, ulimits in Compose"))
}

#[cfg(not(unix))]
fn descriptors() -> Option<Finding> {
    None
}

fn tls(configuration: &Configuration) -> Vec<Finding> {
    let Some(tls) = &configuration.server.tls else { return Vec::new() };
    if let Err(error) = tls.load() {
        return vec![Finding::error(
            "tls.unusable",
            error.to_string(),
            "correct server.tls.certificate and server.tls.key",
        )];
    }
    let mut found = Vec::new();
    found.extend(readable("tls.key_readable", "the TLS key", &tls.key));
    let name = tls.certificate.display();
    let Some(Ok(first)) = CertificateDer::pem_file_iter(&tls.certificate).ok().and_then(|mut all| all.next()) else {
        return found;
    };
    if let Ok((_, certificate)) = X509Certificate::from_der(&first) {
        found.extend(validity(&name.to_string(), &certificate));
    }
    let issuer = &configuration.settings.issuer;
    let host = issuer.as_str().split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let host = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(host, _)| host);
    let parsed = rustls::server::ParsedCertificate::try_from(&first);
    if let (Ok(parsed), Ok(server)) = (parsed, ServerName::try_from(host.trim_matches(['[', ']'])))
        && rustls::client::verify_server_name(&parsed, &server).is_err()
    {
        let what = format!("the certificate {name} is not for {host}: clients refuse it");
        found.push(Finding::error("tls.name", what, "get one with that name (subjectAltName)"));
    }
    found
}

fn validity(name: &str, certificate: &X509Certificate<'_>) -> Option<Finding> {
    let now = OffsetDateTime::from_unix_timestamp(SystemClock.unix_now()).ok()?;
    let (from, until) =
        (certificate.validity().not_before.to_datetime(), certificate.validity().not_after.to_datetime());
    let day = until.date();
    if until <= now {
        let what = format!("the certificate {name} expired on {day}: clients refuse it");
        return Some(Finding::error("tls.expired", what, "renew it; the server loads the new file by itself"));
    }
    if from > now {
        let what = format!("the certificate {name} is valid from {} on: clients refuse it until then", from.date());
        return Some(Finding::error("tls.not_yet", what, "use one that is valid now, or correct the clock"));
    }
    let is_soon = until - now < time::Duration::days(SOON_DAYS);
    let what = || format!("the certificate {name} expires on {day}");
    is_soon.then(|| Finding::warning("tls.expires_soon", what(), "check that the renewal works"))
}

fn master_key(configuration: &Configuration) -> Vec<Finding> {
    let source = &configuration.master_key;
    if let Err(error) = source.load() {
        return vec![Finding::error(
            "master_key.malformed",
            error.to_string(),
            "use the key that was created with this database",
        )];
    }
    if source.key.is_some() {
        return Vec::new();
    }
    let mut found = Vec::new();
    found.extend(readable("master_key.readable", "the master key", &source.file));
    let folder = |path: &Path| path.canonicalize().ok()?.parent().map(Path::to_owned);
    let database = Store::sqlite_file(configuration.store_url.expose());
    if let (Some(key), Some(database)) = (folder(&source.file), database.as_deref().and_then(folder))
        && key == database
    {
        found.push(Finding::warning(
            "master_key.beside_database",
            format!(
                "the master key is in the folder of the database, {}: a copy of that folder can sign tokens",
                key.display()
            ),
            "move it, set keys.master_key_file, and back the two up apart",
        ));
    }
    found
}

/// A file with a secret that everybody on this machine can read. Where an orchestrator puts secrets, the mode is its own
/// affair.
#[cfg(unix)]
fn readable(name: &'static str, what: &str, file: &Path) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt;

    let path = file.canonicalize().ok()?;
    // Kubernetes mounts secrets with its own mode, and nobody else is in the container.
    if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        return None;
    }
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    if path.starts_with("/run/secrets") || credentials.is_some_and(|folder| path.starts_with(folder)) {
        return None;
    }
    let mode = |path: &Path| path.metadata().map(|found| found.permissions().mode()).unwrap_or(0);
    let is_reachable = path.ancestors().skip(1).all(|folder| mode(folder) & 0o001 != 0);
    let is_readable = mode(&path) & 0o004 != 0 && is_reachable;
    let text = || format!("{what} {} can be read by every user of this machine", path.display());
    is_readable.then(|| Finding::error(name, text(), format!("run `chmod o-rwx {}`", path.display())))
}

#[cfg(not(unix))]
fn readable(_: &'static str, _: &str, _: &Path) -> Option<Finding> {
    None
}

/// The file system of a SQLite database.
fn disk(database: &Path) -> Vec<Finding> {
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut found = Vec::new();
    found.extend(kind_of_disk(folder));
    found.extend(room(folder));
    found
}

#[cfg(target_os = "linux")]
fn kind_of_disk(folder: &Path) -> Option<Finding> {
    /// Numbers from linux/magic.h and statfs(2).
    const NETWORK: [(i64, &str); 8] = [
        (0x6969, "NFS"),
        (0x517B, "SMB"),
        (0xFF53_4D42, "CIFS"),
        (0xFE53_4D42, "SMB2"),
        (0x5346_414F, "AFS"),
        (0x00C3_6400, "Ceph"),
        (0x0102_1997, "9P"),
        (0x0BD0_0BD0, "Lustre"),
    ];
    let kind = rustix::fs::statfs(folder).ok()?.f_type as i64 & 0xFFFF_FFFF;
    if let Some((_, name)) = NETWORK.iter().find(|(number, _)| *number == kind) {
        return Some(Finding::error(
            "sqlite.network",
            format!("the database is on a network file system ({name}), where SQLite's write-ahead log does not work"),
            "use a local disk, or PostgreSQL",
        ));
    }
    match kind {
        0x0102_1994 | 0x8584_58F6 => Some(Finding::error(
            "sqlite.memory",
            "the database is in memory: a restart of this machine removes it, with every user",
            "move it to a disk",
        )),
        0x794C_7630 => Some(Finding::warning(
            "sqlite.overlay",
            "the database is in the container's own layer, and is removed with the container",
            "mount a volume there",
        )),
        0x6573_5546 => Some(Finding::warning(
            "sqlite.fuse",
            "the database is on a FUSE file system, which may be a network file system",
            "use a local disk, or PostgreSQL",
        )),
        _ => None,
    }
}

#[cfg(not(target_os = "linux"))]
fn kind_of_disk(_: &Path) -> Option<Finding> {
    None
}

#[cfg(unix)]
fn room(folder: &Path) -> Option<Finding> {
    const MIB: u64 = 1 << 20;
    let disk = rustix::fs::statvfs(folder).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize) / MIB;
    let what = format!(
        "{free} MiB are free on the disk of the database: with a full disk, nobody can log in or be logged out"
    );
    match free {
        0..64 => Some(Finding::error("disk.low", what, "make room")),
        64..1_024 => Some(Finding::warning("disk.low", what, "make room, and watch it")),
        _ => None,
    }
}

#[cfg(not(unix))]
fn room(_: &Path) -> Option<Finding> {
    None
}
