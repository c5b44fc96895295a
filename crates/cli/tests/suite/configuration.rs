//! `ficha config`, and the sources of settings.

use crate::bench::Bench;

#[test]
fn later_sources_override_earlier_ones_and_are_named() {
    let bench = Bench::new().with("FICHA__TOKEN__REFRESH_IDLE_TTL", "3h");
    bench.write("ficha.toml", "[token]\naccess_ttl = '5m'\nsession_ttl = '1h'\nrefresh_idle_ttl = '1h'\n");
    bench.write(
        ".env",
        "FICHA_CONFIG=ficha.toml\nFICHA__TOKEN__SESSION_TTL=2h\nFICHA__TOKEN__REFRESH_IDLE_TTL=2h\nOTHER=1\n",
    );
    let shown = bench.run(&["config"]).good().stdout;
    for (setting, origin) in [
        ("token.access_ttl = \"5m\" ", "# from ficha.toml"),
        ("token.session_ttl = \"2h\" ", "# from FICHA__TOKEN__SESSION_TTL in .env"),
        ("token.refresh_idle_ttl = \"3h\" ", "# from FICHA__TOKEN__REFRESH_IDLE_TTL"),
        ("token.refresh_grace = \"30s\" ", "# built in"),
    ] {
        let line = shown.lines().find(|line| line.starts_with(setting)).unwrap_or_else(|| panic!("{setting}: {shown}"));
        assert!(line.ends_with(origin), "{line}");
    }
    assert!(!bench.path("data").exists());
}

#[test]
fn secrets_are_not_shown() {
    let bench = Bench::new()
        .with("FICHA__KEYS__MASTER_KEY", "hunter2")
        .with("FICHA__TOKEN__SECRET_KEY", "hunter2hunter2hunter2hunter2hunter2")
        .with("FICHA__STORE__URL", "postgres://ficha:hunter2@db/ficha");
    let shown = bench.run(&["config"]).good().stdout;
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(shown.matches("= (set)").count(), 2, "{shown}");
}

#[test]
fn the_config_option_overrides_ficha_config() {
    let bench = Bench::new().with("FICHA_CONFIG", "other.toml");
    bench.write("ficha.toml", "[token]\naccess_ttl = 300\n");
    let shown = bench.run(&["config", "--config", "ficha.toml"]).good().stdout;
    assert!(shown.contains("token.access_ttl = \"5m\""), "{shown}");
}

#[test]
fn a_server_uses_the_database_url_from_a_file() {
    let bench = Bench::new().with("FICHA__STORE__URL_FILE", "secret-url");
    bench.write("secret-url", "sqlite://elsewhere/ficha.db\n");
    bench.serve().stop();
    assert!(bench.path("elsewhere/ficha.db").exists() && !bench.path("data/ficha.db").exists());
    bench.run(&["user", "show", "admin"]).good();
}
