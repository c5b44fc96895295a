//! `ficha config --check`: what it finds, and that it changes nothing.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::bench::{Bench, PASSWORD};

/// Settings with which nothing is wrong, as far as they alone tell.
const GOOD: [(&str, &str); 6] = [
    ("FICHA__SERVER__METRICS_BIND", "127.0.0.1:0"),
    ("FICHA__SERVER__ISSUER", "https://auth.example.com"),
    ("FICHA__SERVER__BEHIND_TLS_PROXY", "true"),
    ("FICHA__SERVER__TRUSTED_PROXIES", "127.0.0.1"),
    ("FICHA__PASSWORD__BCRYPT_COST", "12"),
    ("FICHA__LOG__LEVEL", "info"),
];

fn good() -> Bench {
    GOOD.into_iter().fold(Bench::new(), |bench, (name, value)| bench.with(name, value))
}

/// The names of the findings, and whether there is an error among them.
fn found(bench: &Bench) -> (BTreeSet<String>, bool) {
    let ran = bench.run(&["config", "--check", "--json"]);
    let all: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
    let is_error = all["errors"] != 0;
    assert_eq!(ran.code, Some(i32::from(is_error)), "{ran:?}");
    let names = all["findings"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned());
    (names.collect(), is_error)
}

#[track_caller]
fn finds(bench: &Bench, name: &str, is_error: bool) {
    let (names, has_error) = found(bench);
    assert!(names.contains(name), "{name} is not in {names:?}");
    assert_eq!(has_error, is_error, "{names:?}");
}

#[test]
fn every_doubtful_setting_is_found() {
    let (names, is_error) = found(&good());
    assert_eq!((names, is_error), (BTreeSet::from(["database.empty".to_owned()]), false));
    finds(&Bench::new(), "issuer.loopback", true);
    for (name, value, finding, is_error) in [
        ("FICHA__SERVER__ISSUER", "http://auth.example.com", "issuer.plain_http", true),
        ("FICHA__SERVER__ISSUER", "https://192.0.2.7", "issuer.address", false),
        ("FICHA__SERVER__BEHIND_TLS_PROXY", "false", "transport.none", true),
        ("FICHA__SERVER__TRUSTED_PROXIES", "", "proxies.missing", true),
        ("FICHA__SERVER__TRUSTED_PROXIES", "::/0", "proxies.everybody", true),
        ("FICHA__SERVER__TRUSTED_PROXIES", "16.0.0.0/4", "proxies.wide", false),
        ("FICHA__SERVER__DRAIN", "0s", "drain.none", false),
        ("FICHA__SERVER__METRICS_BIND", "192.0.2.1:9100", "metrics.public", true),
        ("FICHA__SERVER__METRICS_BIND", "", "metrics.exposed", false),
        ("FICHA__ADMIN__SESSION_TTL", "2d", "admin.long_session", false),
        ("FICHA__TOKEN__ACCESS_TTL", "2h", "token.long_access", false),
        ("FICHA__TOKEN__REFRESH_GRACE", "0s", "token.no_grace", false),
        ("FICHA__TOKEN__DEFAULT_CLIENT", "first-party", "token.default_client", false),
        ("FICHA__PASSWORD__BCRYPT_COST", "4", "password.cheap", true),
        ("FICHA__PASSWORD__MIN_LENGTH", "8", "password.short", false),
        ("FICHA__KEYS__ROTATE_AFTER", "never", "keys.never_rotated", false),
        ("FICHA__TOKEN__SECRET_KEY", "3f9a1d0c5b7e48261f0d9c8b7a6e5d4c", "signing.shared_secret", false),
        ("FICHA__LOG__LEVEL", "warn", "log.quiet", false),
        ("FICHA__KEYS__MASTER_KEY", "hunter2", "master_key.malformed", true),
        ("FICHA__STORE__URL", "postgres://ficha:hunter2@127.0.0.1:9/ficha", "database.unreachable", true),
    ] {
        let bench = good().with(name, value);
        finds(&bench, finding, is_error);
        let ran = bench.run(&["config", "--check"]);
        assert!(ran.stdout.contains(&format!(" {finding}: ")) && ran.stdout.contains("to do: "), "{ran:?}");
        assert!(!format!("{ran:?}").contains("hunter2"), "{ran:?}");
        assert_eq!(std::fs::read_dir(bench.folder()).unwrap().count(), 0, "it has written something");
    }
}

#[test]
fn what_is_in_the_database_is_checked_while_the_server_runs() {
    let bench = good();
    let server = bench.serve();
    let at_first =
        ["admin.first_password", "admin.single", "client.first_party", "master_key.beside_database", "services.none"];
    let (names, is_error) = found(&bench);
    assert_eq!((names.iter().map(String::as_str).collect::<Vec<_>>(), is_error), (at_first.to_vec(), false));
    // That raises the user's version, too.
    bench.run(&["session", "revoke", "--user", "admin"]).good();
    finds(&bench, "admin.first_password", false);
    bench.run_with_input(&["user", "set-password", "admin", "--password-stdin"], PASSWORD).good();
    bench.add_user("chief", &["--scope", "ficha:admin"]);
    bench.run(&["client", "disable", "first-party"]).good();
    bench.run(&["client", "add", "notes-api", "--serves", "notes"]).good();
    assert_eq!(found(&bench), (BTreeSet::from(["master_key.beside_database".to_owned()]), false));
    bench.run(&["client", "add-secret", "notes-api", "--expires", "3d"]).good();
    finds(&bench, "client.secret_expires", false);
    bench.run(&["client", "add", "spa", "--public", "--scope", "any", "--own-scopes"]).good();
    finds(&bench, "client.own_scopes_public", true);
    bench.run(&["client", "disable", "spa"]).good();
    for name in ["admin", "chief"] {
        bench.run(&["user", "disable", name]).good();
    }
    finds(&bench, "admin.none", true);
    server.stop();
    let files = || std::fs::read_dir(bench.path("data")).unwrap().count();
    let before = files();
    found(&bench);
    assert_eq!(files(), before, "it has left something");
    bench.write("other.key", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n");
    finds(&bench.with("FICHA__KEYS__MASTER_KEY_FILE", "other.key"), "master_key.wrong", true);
}

#[cfg(unix)]
#[test]
fn a_low_limit_of_open_files_is_found() {
    let bench = good();
    let ran = bench.shell("ulimit -n 256; \"$0\" config --check --json");
    assert!(ran.stdout.contains("files.few"), "{ran:?}");
    assert!(!found(&bench).0.contains("files.few"));
}

#[cfg(unix)]
#[test]
fn secrets_that_everybody_can_read_are_found() {
    use std::os::unix::fs::PermissionsExt;

    let bench = good();
    bench.serve().stop();
    let mode = |path: &str, mode: u32| {
        std::fs::set_permissions(bench.path(path), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(".", 0o700);
    for (file, finding) in [("data/master.key", "master_key.readable"), ("data/ficha.db", "database.readable")] {
        mode(file, 0o644);
        // The folder is private.
        assert!(!found(&bench).0.contains(finding));
        mode(".", 0o755);
        mode("data", 0o755);
        finds(&bench, finding, true);
        mode(file, 0o600);
        mode("data", 0o700);
        mode(".", 0o700);
    }
}

#[cfg(unix)]
#[test]
fn settings_with_a_secret_that_everybody_can_read_are_found() {
    use std::os::unix::fs::PermissionsExt;

    let secret = "3f9a1d0c5b7e48261f0d9c8b7a6e5d4c";
    for (file, text) in [
        ("ficha.toml", format!("[token]\nsecret_key = \"{secret}\"\n")),
        ("ficha.toml", "[store]\nurl = \"postgres://ficha:hunter2@127.0.0.1:9/ficha\"\n".to_owned()),
        (".env", format!("FICHA__TOKEN__SECRET_KEY={secret}\n")),
    ] {
        let bench = good().with("FICHA_CONFIG", if file == ".env" { "" } else { file });
        let mode = |path: &str, mode: u32| {
            std::fs::set_permissions(bench.path(path), std::fs::Permissions::from_mode(mode)).unwrap();
        };
        bench.write(file, &text);
        mode(".", 0o755);
        for (readable, is_found) in [(0o644, true), (0o640, false)] {
            mode(file, readable);
            assert_eq!(found(&bench).0.contains("settings.readable"), is_found, "{text} {readable:o}");
        }
        mode(file, 0o644);
        let ran = bench.run(&["config", "--check"]);
        assert!(ran.stdout.contains(file) && !format!("{ran:?}").contains("hunter2"), "{ran:?}");
        // Without a secret, anybody may read it.
        bench.write(file, "");
        assert!(!found(&bench).0.contains("settings.readable"));
    }
}

#[test]
fn a_certificate_is_checked_for_its_time_and_its_name() {
    let tls = |name: &str, days: std::ops::Range<i64>| {
        let bench = Bench::new()
            .with("FICHA__SERVER__ISSUER", "https://auth.example.com")
            .with("FICHA__SERVER__TLS__CERTIFICATE", "cert.pem")
            .with("FICHA__SERVER__TLS__KEY", "key.pem")
            .with("FICHA__PASSWORD__BCRYPT_COST", "12");
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(vec![name.into()]).unwrap();
        let day = |days: i64| {
            time::OffsetDateTime::from_unix_timestamp(ficha_token::Clock::unix_now(&ficha_token::SystemClock)).unwrap()
                + time::Duration::days(days)
        };
        (parameters.not_before, parameters.not_after) = (day(days.start), day(days.end));
        bench.write("cert.pem", &parameters.self_signed(&key).unwrap().pem());
        bench.write("key.pem", &key.serialize_pem());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(bench.path("key.pem"), std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        bench
    };
    let fine = tls("auth.example.com", -1..90);
    assert!(!found(&fine).0.iter().any(|name| name.starts_with("tls.")), "{:?}", found(&fine));
    finds(&tls("auth.example.com", -90..-1), "tls.expired", true);
    finds(&tls("auth.example.com", 1..90), "tls.not_yet", true);
    finds(&tls("auth.example.com", -80..10), "tls.expires_soon", false);
    finds(&tls("example.com", -1..90), "tls.name", true);
    fine.write("key.pem", "no key");
    finds(&fine, "tls.unusable", true);
}
