//! The text that the first start prints, once.

use std::path::Path;

use ficha_authority::{ADMIN, FIRST_PARTY, FirstStart, Secret, Settings};
use ficha_token::{Clock, SystemClock};
use serde_json::json;

use crate::config::{Configuration, LogFormat};
use crate::output;

/// What the first start prints: a text, or one line of JSON if the log is JSON.
pub fn notice(first: &FirstStart, configuration: &Configuration) -> String {
    let settings = &configuration.settings;
    match configuration.log.format {
        LogFormat::Text => text(first, settings, configuration),
        LogFormat::Json => json_line(first.admin_password.as_ref().map(Secret::expose), configuration),
    }
}

/// Only the password, for a start that fails after creating it: it is not stored anywhere else.
pub fn password_notice(password: &str, configuration: &Configuration) -> String {
    match configuration.log.format {
        LogFormat::Text => password_lines(password),
        LogFormat::Json => json_line(Some(password), configuration),
    }
}

/// Where the console is, if there is one.
fn console(configuration: &Configuration) -> Option<String> {
    let settings = &configuration.settings;
    configuration.server.has_console(settings).then(|| configuration.server.site(settings).endpoint("/console"))
}

fn json_line(password: Option<&str>, configuration: &Configuration) -> String {
    let settings = &configuration.settings;
    let about = match password {
        Some(_) => "the password is shown only once".to_owned(),
        None => format!("the user {ADMIN} already exists and was left unchanged"),
    };
    // With the fields that a log line has: some collectors drop lines without them.
    let line = json!({
        "timestamp": output::time(SystemClock.unix_now()),
        "level": "INFO",
        "message": format!("first start: the database and the keys were created; {about}"),
        "user": ADMIN,
        "password": password,
        "issuer": settings.issuer.as_str(),
        "docs": settings.issuer.endpoint("/docs"),
        "console": console(configuration),
    });
    format!("{line}\n")
}

/// The text: the password, where things are, and a request to try.
fn text(first: &FirstStart, settings: &Settings, configuration: &Configuration) -> String {
    let issuer = settings.issuer.as_str();
    let docs = settings.issuer.endpoint("/docs");
    let mut text = String::from("First start: the database and the keys were created.\n\n");
    match &first.admin_password {
        Some(password) => text.push_str(&password_lines(password.expose())),
        None => text.push_str(&format!("The user {ADMIN} already exists and was left unchanged.\n")),
    }
    text.push_str(&format!("\n  issuer    {issuer}\n  docs      {docs}\n"));
    if let Some(console) = console(configuration) {
        text.push_str(&format!("  console   {console}\n"));
    }
    if let Some(password) = &first.admin_password {
        let certificate = configuration.server.tls.as_ref().map(|tls| tls.certificate.as_path());
        text.push_str(&format!("\nTry it:\n\n  {}\n\n", curl(settings, certificate, password.expose())));
    }
    text
}

fn password_lines(password: &str) -> String {
    format!(
        "  user      {ADMIN}\n  password  {password}\n            \
         shown only once; `ficha user set-password {ADMIN}` sets another\n"
    )
}

/// A token request that works as pasted.
fn curl(settings: &Settings, certificate: Option<&Path>, password: &str) -> String {
    let mut words = vec!["curl".to_owned(), "-s".to_owned()];
    // On this machine the certificate is most likely self-signed.
    if let Some(certificate) = certificate.filter(|_| settings.issuer.is_loopback()) {
        words.extend(["--cacert".to_owned(), quote(&certificate.display().to_string())]);
    }
    words.extend([quote(&settings.issuer.endpoint("/token")), "-d".to_owned(), "grant_type=password".to_owned()]);
    if settings.default_client() != Some(FIRST_PARTY) {
        words.extend(["-d".to_owned(), format!("client_id={FIRST_PARTY}")]);
    }
    words.extend(["-d".to_owned(), format!("username={ADMIN}")]);
    words.extend(["--data-urlencode".to_owned(), format!("'password={password}'")]);
    words.join(" ")
}

/// Quotes a word for a shell, if needed.
fn quote(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@".contains(&byte);
    if word.bytes().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_word_reaches_the_command_unchanged() {
        assert_eq!(quote("http://127.0.0.1:8080/token"), "http://127.0.0.1:8080/token");
        assert_eq!(quote("https://x/a&b/token"), "'https://x/a&b/token'");
        assert_eq!(quote("it's"), r"'it'\''s'");
    }
}
