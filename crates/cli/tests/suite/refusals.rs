//! Failed starts: one line that says why and what to do, exit code 1, and nothing created.

use std::net::TcpListener;

use crate::bench::Bench;

/// Neither a database nor a key was created.
#[track_caller]
fn nothing_created(bench: &Bench) {
    assert!(!bench.path("data").exists());
}

#[test]
fn an_unknown_key_stops_the_start() {
    let bench = Bench::new();
    bench.write("ficha.toml", "[token]\nacess_ttl = \"5m\"\n");
    bench.run(&["--config", "ficha.toml", "serve"]).refused(&["token.acess_ttl", "ficha.toml", "token.access_ttl"]);
    nothing_created(&bench);
}

#[test]
fn an_unknown_key_in_the_environment_stops_the_start() {
    let bench = Bench::new().with("FICHA__TOKEN__ACESS_TTL", "5m");
    bench.run(&["serve"]).refused(&["token.acess_ttl", "FICHA__TOKEN__ACESS_TTL"]);
    nothing_created(&bench);
}

#[test]
fn a_variable_that_is_not_a_setting_is_ignored() {
    Bench::new().with("FICHA_TEST_POSTGRES_URL", "x").run(&["config"]).good();
}

#[test]
fn an_invalid_value_stops_the_start() {
    let bench = Bench::new();
    bench.write("ficha.toml", "[token]\naccess_ttl = \"5 minutes\"\n");
    let words = ["token.access_ttl is \"5 minutes\"", "10m", "ficha.toml"];
    bench.run(&["serve", "--config", "ficha.toml"]).refused(&words);
    nothing_created(&bench);
}

#[test]
fn a_missing_configuration_file_stops_the_start() {
    let bench = Bench::new();
    bench.run(&["--config", "elsewhere.toml", "serve"]).refused(&["elsewhere.toml", "--config"]);
    Bench::new().with("FICHA_CONFIG", "elsewhere.toml").run(&["serve"]).refused(&["elsewhere.toml", "FICHA_CONFIG"]);
    nothing_created(&bench);
}

#[test]
fn a_port_in_use_stops_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let bench = Bench::new().with("FICHA__SERVER__BIND", &address);
    bench.run(&["serve"]).refused(&[&address, "in use", "server.bind"]);
    nothing_created(&bench);
}

#[test]
fn a_database_that_can_t_be_opened_stops_the_start() {
    let bench = Bench::new().with("FICHA__STORE__URL", "sqlite://a-file/ficha.db");
    bench.write("a-file", "");
    bench.run(&["serve"]).refused(&["can't open the database", "a-file", "store.url"]);
    nothing_created(&bench);
    // Port 9 is discard: nothing listens there.
    let bench = Bench::new().with("FICHA__STORE__URL", "postgres://ficha:hunter2@127.0.0.1:9/ficha");
    let ran = bench.run(&["serve"]);
    assert!(!ran.stderr.contains("hunter2"), "{ran:?}");
    ran.refused(&["postgres://127.0.0.1:9/ficha", "store.url"]);
    nothing_created(&bench);
}

#[test]
fn a_master_key_that_does_not_fit_stops_the_start() {
    let bench = Bench::new();
    bench.serve().stop();
    bench.write("data/master.key", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n");
    bench.run(&["serve"]).refused(&["master key does not match"]);
}

#[test]
fn a_master_key_that_does_not_fit_stops_the_start_before_the_database_is_migrated() {
    let bench = Bench::new();
    bench.serve().stop();
    // As an older version left it.
    sql(&bench, &["DROP TABLE audit", "DELETE FROM seaql_migrations WHERE version = 'm0009_audit'"]);
    bench.write("other.key", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n");
    let wrong = bench.path("data/master.key");
    let right = std::fs::read(&wrong).unwrap();
    std::fs::copy(bench.path("other.key"), &wrong).unwrap();
    bench.run(&["serve"]).refused(&["master key does not match"]);
    // It has not been migrated.
    bench.run(&["user", "list"]).refused(&["pending migrations: 1", "ficha migrate"]);
    std::fs::remove_file(&wrong).unwrap();
    bench.run(&["serve"]).refused(&["no master key"]);
    bench.run(&["user", "list"]).refused(&["pending migrations: 1"]);
    assert!(!wrong.exists());
    std::fs::write(&wrong, right).unwrap();
    bench.serve().stop();
    bench.run(&["user", "list"]).good();
}

#[test]
fn a_database_of_a_newer_version_stops_every_command() {
    let bench = Bench::new();
    bench.serve().stop();
    let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m0999_tomorrow', 0)";
    sql(&bench, &[newer, "UPDATE globals SET needed_migration = 'm0999_tomorrow'"]);
    for command in [&["serve"][..], &["migrate"], &["user", "list"], &["recover", "--yes"]] {
        bench.run(command).refused(&["migrated by a newer version of ficha", "m0999_tomorrow", "run that version"]);
    }
}

/// Changes the database directly.
fn sql(bench: &Bench, statements: &[&str]) {
    let url = format!("sqlite://{}", bench.path("data/ficha.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = ficha_store::Store::connect(&url).await.unwrap();
        for statement in statements {
            store.run_sql(statement).await.unwrap();
        }
        store.close().await;
    });
}

#[test]
fn a_missing_master_key_stops_the_start() {
    let bench = Bench::new();
    bench.serve().stop();
    std::fs::remove_file(bench.path("data/master.key")).unwrap();
    bench.run(&["serve"]).refused(&["no master key at data/master.key", "keys.master_key"]);
    assert!(!bench.path("data/master.key").exists());
}

#[test]
fn a_malformed_master_key_stops_the_first_start() {
    let bench = Bench::new().with("FICHA__KEYS__MASTER_KEY", "hunter2");
    let ran = bench.run(&["serve"]);
    assert!(!ran.stderr.contains("hunter2"), "{ran:?}");
    ran.refused(&["keys.master_key", "32 bytes"]);
    nothing_created(&bench);
}

#[test]
fn tls_files_that_can_t_be_used_stop_the_first_start() {
    let bench =
        Bench::new().with("FICHA__SERVER__TLS__CERTIFICATE", "cert.pem").with("FICHA__SERVER__TLS__KEY", "key.pem");
    bench.run(&["serve"]).refused(&["cert.pem", "server.tls"]);
    bench.write("cert.pem", "no certificate");
    bench.write("key.pem", "no key");
    bench.run(&["serve"]).refused(&["cert.pem", "server.tls"]);
    nothing_created(&bench);
}

#[test]
fn a29_a_plain_http_issuer_off_loopback_stops_the_start() {
    let bench = Bench::new().with("FICHA__SERVER__ISSUER", "http://auth.example.com");
    bench.run(&["serve"]).refused(&["server.issuer", "behind_tls_proxy"]);
    nothing_created(&bench);
}

#[test]
fn an_unknown_or_incomplete_command_is_a_usage_error() {
    assert_eq!(Bench::new().run(&["sevre"]).code, Some(2));
    assert_eq!(Bench::new().run(&["session", "revoke"]).code, Some(2));
    assert_eq!(Bench::new().run(&["user", "set", "alice"]).code, Some(2));
}

#[test]
fn purging_before_the_first_start_says_to_start_the_server() {
    let bench = Bench::new();
    bench.run(&["migrate"]).good();
    for command in
        [["recover", "--yes"].as_slice(), &["key", "purge"], &["session", "revoke", "--all"], &["key", "rotate"]]
    {
        bench.run(command).refused(&["start the server once"]);
    }
}

#[test]
fn a_client_with_client_credentials_alone_needs_named_scopes() {
    let bench = Bench::new();
    let add = |scope: &str| bench.run(&["client", "add", "job", "--grant", "client_credentials", "--scope", scope]);
    add("any").refused(&["client_credentials", "name the scopes"]);
    add("notes:read").good();
    bench.run(&["client", "set", "job", "--scope", "any"]).refused(&["name the scopes"]);
    bench.run(&["client", "set", "job", "--audience", "notes"]).good();
}
