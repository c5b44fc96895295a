//! A `store.url` with a password and a mistake is refused, and no part of the password is shown or logged.

use crate::bench::{Bench, Ran};

/// Logs at the level trace, so that every message is checked.
fn bench(url: &str) -> Bench {
    Bench::new().with("FICHA__STORE__URL", url).with("FICHA__LOG__LEVEL", "trace")
}

/// No three consecutive characters of the secret are in the output.
#[track_caller]
fn shows_nothing(ran: &Ran, secret: &str) {
    let characters: Vec<char> = secret.chars().collect();
    for part in characters.windows(3) {
        let part = String::from_iter(part);
        assert!(!ran.stdout.contains(&part) && !ran.stderr.contains(&part), "{part:?} is shown: {ran:?}");
    }
}

/// Opening the database refuses the URL with `words`; `ficha config` hides it as a whole.
#[track_caller]
fn refused_and_hidden(url: &str, secret: &str, words: &[&str]) {
    let bench = bench(url);
    for command in [&["serve"][..], &["user", "list"]] {
        let ran = bench.run(command);
        shows_nothing(&ran, secret);
        assert_eq!(ran.code, Some(1), "{url}: {ran:?}");
        let (_, error) =
            ran.stderr.split_once("error: can't open the database").unwrap_or_else(|| panic!("{url}: {ran:?}"));
        assert_eq!(error.lines().count(), 2, "{url}: {ran:?}");
        for word in words {
            assert!(error.contains(word), "{word:?} is missing in {error:?}");
        }
    }
    let ran = bench.run(&["config"]).good();
    shows_nothing(&ran, secret);
    assert!(ran.stdout.contains("store.url = \"postgres://…\" "), "{url}: {ran:?}");
    assert!(!bench.path("data").exists());
}

#[test]
fn a_misspelt_option_is_refused_without_its_value() {
    refused_and_hidden(
        "postgres://ficha@127.0.0.1:9/ficha?pasword=s3cr3t",
        "s3cr3t",
        &["the unknown option pasword", "sslmode"],
    );
    let secret = "s3cr3t&9x7q=1";
    refused_and_hidden(
        "postgres://ficha@127.0.0.1:9/ficha?password=s3cr3t&9x7q=1",
        secret,
        &["an unknown option", "%26"],
    );
}

#[test]
fn an_invalid_value_is_not_repeated() {
    let words = ["the option sslmode is invalid", "verify-full"];
    refused_and_hidden("postgres://ficha@127.0.0.1:9/ficha?sslmode=s3cr3t", "s3cr3t", &words);
    refused_and_hidden("postgres://ficha:s3cr3t/ficha", "s3cr3t", &["postgres://user:password@host:port/database"]);
}

#[test]
fn a_password_that_is_not_encoded_is_refused() {
    for splitter in ["@", "/", "?", "#", "@h/", "/@"] {
        let secret = format!("s3cr3t{splitter}9x7q");
        let url = format!("postgres://ficha:{secret}@127.0.0.1:9/ficha?sslmode=disable");
        refused_and_hidden(&url, &secret, &["percent-encoded", "@ is %40", "store.url"]);
    }
    refused_and_hidden("postgres://ficha:s3cr3t\n9x7q@127.0.0.1:9/ficha", "s3cr3t\n9x7q", &["control character"]);
    // Only digits: the part before the slash would be a port.
    refused_and_hidden("postgres://ficha:12/s3cr3t@127.0.0.1:9/ficha", "s3cr3t", &["percent-encoded"]);
}

#[test]
fn a_url_without_slashes_is_refused() {
    let bench = bench("postgres:ficha:s3cr3t@127.0.0.1");
    for command in [&["serve"][..], &["user", "list"], &["config"]] {
        let ran = bench.run(command);
        shows_nothing(&ran, "s3cr3t");
        ran.refused(&["store.url", "postgres://"]);
    }
}

#[test]
fn a_valid_url_is_shown_without_its_secrets() {
    let url = "postgres://ficha:s3c:r3t@127.0.0.1:9/ficha?password=s3c:r3t&sslkey=s3c:r3t&sslmode=disable";
    let bench = bench(url);
    let shown = bench.run(&["config"]).good();
    shows_nothing(&shown, "s3c:r3t");
    let words = "\"postgres://ficha:***@127.0.0.1:9/ficha?password=***&sslkey=***&sslmode=disable\"";
    assert!(shown.stdout.contains(words), "{shown:?}");
    // Port 9 is discard: nothing listens there.
    let ran = bench.run(&["user", "list"]);
    shows_nothing(&ran, "s3c:r3t");
    assert!(ran.stderr.contains("can't open the database postgres://127.0.0.1:9/ficha: "), "{ran:?}");
}

#[test]
fn an_option_that_sqlite_does_not_have_is_not_shown() {
    let shown = bench("sqlite://data/ficha.db?mode=rwc&key=s3cr3t").run(&["config"]).good();
    shows_nothing(&shown, "s3cr3t");
    assert!(shown.stdout.contains("store.url = \"sqlite://data/ficha.db?…\" "), "{shown:?}");
    let shown = bench("sqlite://data/ficha.db?mode=rwc").run(&["config"]).good();
    assert!(shown.stdout.contains("store.url = \"sqlite://data/ficha.db?mode=rwc\" "), "{shown:?}");
}
