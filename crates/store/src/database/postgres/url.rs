//! Reads a `postgres://` URL without letting any part of a password get into a message or a log.
//!
//! sqlx alone is not enough. It logs an option that it does not know with its value, and a raw `/`, `?` or `#` in the
//! password makes it take the rest of the password for the database or an option, which errors name. So anything that
//! can be misread is rejected before sqlx sees it. Code that wants to show a URL checks it with
//! [`Store::is_postgres_url`].

use std::str::FromStr;

use sea_orm::sqlx::postgres::PgConnectOptions;

use crate::{Result, Store, StoreError};

const UNREADABLE: &str = "it must have the form postgres://user:password@host:port/database";
const NOT_ENCODED: &str = "special characters in the user name and the password must be percent-encoded: @ is %40, \
                           / is %2F, ? is %3F, # is %23, % is %25";
const CONTROL_CHARACTER: &str = "it contains a control character, such as a tab or a newline, which must be \
                                 percent-encoded: a tab is %09, a newline is %0A";

/// The options that sqlx knows, and one that it does not, one per line with all its spellings. Look at `options/parse.rs` of sqlx-postgres before
/// adding another.
const OPTIONS: [&[&str]; 13] = [
    &["sslmode", "ssl-mode"],
    &["sslrootcert", "ssl-root-cert", "ssl-ca"],
    &["sslcert", "ssl-cert"],
    &["sslkey", "ssl-key"],
    &["statement-cache-capacity"],
    &["host"],
    &["hostaddr"],
    &["port"],
    &["dbname"],
    &["user"],
    &[PASSWORD],
    &["application_name"],
    &[SESSION_ATTRIBUTES],
];
const PASSWORD: &str = "password";

/// libpq's name for what is always so here: only a server that accepts changes is used. sqlx does not know it.
const SESSION_ATTRIBUTES: &str = "target_session_attrs";
const SEVERAL_HOSTS: &str = "it names several hosts; use one name that always leads to the primary, such as that of a \
                             proxy or a virtual address";

/// May be repeated, each adding to the others, and can name a single server setting: `options[search_path]`.
const SERVER_OPTIONS: &str = "options";

/// The longest name of an unknown option that is shown in an error.
const LONGEST_NAME: usize = 32;

impl Store {
    /// True if `url` is a `postgres://` URL that can be used. Nothing is opened.
    pub fn is_postgres_url(url: &str) -> bool {
        read(url).is_ok()
    }
}

/// Reads a `postgres://` URL. An error says what is wrong with it without showing any part except an option's name.
pub(crate) fn read(url: &str) -> Result<PgConnectOptions> {
    let options = check(url)?;
    // The parser's error may quote the URL.
    let target = PgConnectOptions::from_str(&without_session_attributes(url, options))
        .map_err(|_| refused(bad_value(options).unwrap_or_else(|| UNREADABLE.into())))?;
    // sqlx would look up an IPv6 address with its brackets as a name.
    let address = target.get_host().strip_prefix('[').and_then(|host| host.strip_suffix(']')).map(str::to_owned);
    Ok(match address {
        Some(address) => target.host(&address),
        None => target,
    })
}

/// The URL as sqlx understands it.
fn without_session_attributes(url: &str, options: &str) -> String {
    let Some(before) = url.strip_suffix(options).filter(|_| !options.is_empty()) else { return url.to_owned() };
    let kept: Vec<_> = options.split('&').filter(|pair| pair.split('=').next() != Some(SESSION_ATTRIBUTES)).collect();
    format!("{before}{}", kept.join("&"))
}

fn refused(why: impl Into<String>) -> StoreError {
    StoreError::CantOpen { what: "at the given postgres:// URL".into(), why: why.into() }
}

/// Rejects what can be misread, and returns the part that sqlx will read as the options.
fn check(url: &str) -> Result<&str> {
    // Without the slashes all of it would be taken for the database's name.
    let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
    let rest = rest.ok_or_else(|| refused(UNREADABLE))?;
    // The parser trims control characters at the end, and drops some of them everywhere.
    if rest.trim_end_matches(|c: char| c <= ' ').contains(char::is_control) {
        return Err(refused(CONTROL_CHARACTER));
    }
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if rest.contains('#') || tail.contains('@') || authority.matches('@').count() > 1 {
        return Err(refused(NOT_ENCODED));
    }
    if authority.rsplit('@').next().is_some_and(|hosts| hosts.contains(',')) {
        return Err(refused(SEVERAL_HOSTS));
    }
    let (path, options) = tail.split_once('?').unwrap_or((tail, ""));
    // Perhaps a password without a host, or one that follows too many slashes.
    if !has_number_as_port(authority) || path.trim_start_matches('/').contains(['/', ':']) {
        return Err(refused(UNREADABLE));
    }
    check_options(options)?;
    Ok(options)
}

fn has_number_as_port(authority: &str) -> bool {
    let host = authority.split_once('@').map_or(authority, |(_, host)| host);
    // An IPv6 address contains colons.
    let host = host.rsplit_once(']').map_or(host, |(_, after)| after);
    host.split_once(':').is_none_or(|(_, port)| port.trim_end().bytes().all(|byte| byte.is_ascii_digit()))
}

fn check_options(options: &str) -> Result<()> {
    let mut seen = Vec::new();
    for (name, value) in pairs(options) {
        let Some(known) = known(name) else {
            // After a password with a raw `&`, the name may be part of the password. So may a name without a value.
            let is_sure = value.is_some() && !seen.contains(&PASSWORD);
            let shown = if is_sure && is_plain(name) {
                format!("the unknown option {name}")
            } else {
                "an unknown option".into()
            };
            let all: Vec<&str> = OPTIONS.iter().map(|spellings| spellings[0]).chain([SERVER_OPTIONS]).collect();
            return Err(refused(format!(
                "it has {shown}; known options are {} (write & in a value as %26)",
                all.join(", ")
            )));
        };
        match (known, value) {
            ("host" | "hostaddr", Some(hosts)) if hosts.contains(',') => return Err(refused(SEVERAL_HOSTS)),
            (SESSION_ATTRIBUTES, Some("read-write" | "primary")) => {}
            (SESSION_ATTRIBUTES, _) => {
                return Err(refused(format!(
                    "the value of the option {SESSION_ATTRIBUTES} must be read-write or primary: only the primary is used"
                )));
            }
            _ => {}
        }
        if known != SERVER_OPTIONS && seen.contains(&known) {
            return Err(refused(format!("it has the option {known} more than once")));
        }
        seen.push(known);
    }
    Ok(())
}

/// The options as written, each with its value.
fn pairs(options: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let pairs = options.trim_end_matches(|c: char| c <= ' ').split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value))))
}

/// The first spelling of an option that sqlx knows.
fn known(name: &str) -> Option<&'static str> {
    if let Some(spellings) = OPTIONS.iter().find(|spellings| spellings.contains(&name)) {
        return Some(spellings[0]);
    }
    let suffix = name.strip_prefix(SERVER_OPTIONS)?;
    let inside = |open: &str, close: &str| suffix.strip_prefix(open)?.strip_suffix(close);
    let setting = inside("[", "]").or_else(|| inside("%5B", "%5D")).or_else(|| inside("%5b", "%5d"));
    (suffix.is_empty() || setting.is_some_and(is_plain)).then_some(SERVER_OPTIONS)
}

/// True if an option's name can be shown in an error.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain)
}

/// Says which option's value sqlx can't parse, if that is the problem.
fn bad_value(options: &str) -> Option<String> {
    let unreadable = |(name, value): &(&str, Option<&str>)| {
        let alone = format!("postgres:///?{name}={}", value.unwrap_or_default());
        PgConnectOptions::from_str(&alone).is_err()
    };
    let name = known(pairs(options).find(unreadable)?.0)?;
    let help = match name {
        "sslmode" => ": it must be disable, allow, prefer, require, verify-ca or verify-full",
        "hostaddr" => ": it must be an IP address",
        "port" | "statement-cache-capacity" => ": it must be a whole number",
        _ => "",
    };
    Some(format!("the value of the option {name} is invalid{help}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(url: &str) -> String {
        let error = read(url).expect_err(url);
        assert!(matches!(error, StoreError::CantOpen { .. }), "{error:?}");
        format!("{error} {error:?}")
    }

    /// Panics if the text contains any three consecutive characters of the secret.
    #[track_caller]
    fn assert_not_shown(text: &str, secret: &str, url: &str) {
        let characters: Vec<char> = secret.chars().collect();
        for part in characters.windows(3) {
            let part = String::from_iter(part);
            assert!(!text.contains(&part), "{part:?} of {url:?} is in {text:?}");
        }
    }

    #[test]
    fn no_part_of_a_password_is_shown_whatever_character_splits_it() {
        for splitter in "@/?#\n\t\r \\[]:;&=%+^|<>\"'`{}\u{7f}\u{85}\u{a0}é".chars() {
            let secret = format!("s3cr3t{splitter}9x7q");
            for form in [
                "postgres://ficha:SECRET@db.example.com/ficha",
                "postgresql://ficha:SECRET@db.example.com:5432/ficha?sslmode=require",
                "postgres://ficha:SECRET@db.example.com",
                "postgres://ficha:12/SECRET@db.example.com/ficha",
                "postgres://ficha:12?SECRET@db.example.com/ficha",
                "postgres://ficha:12#SECRET@db.example.com/ficha",
                "postgres:ficha:SECRET@db.example.com/ficha",
                "postgres:/ficha:SECRET@db.example.com/ficha",
                "postgres:///ficha:SECRET@db.example.com/ficha",
                "postgres:///ficha:SECRET",
                "postgres://db.example.com:SECRET/ficha",
                "postgres://ficha:SECRET",
                "postgres://db.example.com/ficha?SECRET",
                "postgres://db.example.com/ficha?pasword=SECRET",
                "postgres://db.example.com/ficha?password=SECRET",
                "postgres://db.example.com/ficha?password=SECRET=1",
                "postgres://db.example.com/ficha?password=SECRET&bogus=1",
                "postgres://db.example.com/ficha?sslmode=SECRET",
                "postgres://db.example.com/ficha?hostaddr=SECRET",
                "postgres://db.example.com/ficha?port=SECRET",
                "postgres://db.example.com/ficha?statement-cache-capacity=SECRET",
            ] {
                // Without a host, what follows an @ in the password is the host; and
                // `name=value` is an option.
                let names_another = match splitter {
                    '@' => form.ends_with(":SECRET") || form.contains(":SECRET/"),
                    '=' => form.ends_with("?SECRET"),
                    _ => false,
                };
                if names_another && !form.starts_with("postgres:///") {
                    continue;
                }
                let url = form.replace("SECRET", &secret);
                let text = match read(&url) {
                    Err(error) => format!("{error} {error:?}"),
                    // A connection error shows these.
                    Ok(target) => format!("{} {:?}", target.get_host(), target.get_database()),
                };
                assert_not_shown(&text, &secret, &url);
            }
        }
    }

    #[test]
    fn separators_in_the_user_name_or_the_password_must_be_encoded() {
        for url in [
            "postgres://ficha:p@ss@db/ficha",
            "postgres://fi@cha:pass@db/ficha",
            "postgres://ficha:p@ss/word@db/ficha",
            "postgres://ficha:pa/ss@db/ficha",
            "postgres://ficha:pa?ss@db/ficha",
            "postgres://ficha:pa#ss@db/ficha",
            "postgres://ficha:pa#ss",
            "postgres://db/ficha#ss",
            "postgres:///ficha:pass@db/ficha",
            "postgres://db/ficha?user=me@here",
        ] {
            let error = error(url);
            assert!(error.contains("percent-encoded") && error.contains("%40"), "{url}: {error}");
        }
        assert!(error("postgres://ficha:pa\nss@db/ficha").contains("control character"));
    }

    #[test]
    fn an_encoded_password_is_accepted_and_so_is_a_raw_one_that_cannot_be_misread() {
        for url in [
            "postgres://ficha:p%40s%2Fs%3Fw%23o%25rd@db.example.com:5432/ficha",
            "postgres://ficha:p:a s[s\\w^o|rd@db.example.com/ficha?sslmode=require",
            "postgres://ficha:pass@[::1]:5432/ficha",
            "postgres://ficha:pass@[::1]/ficha",
            "postgres://ficha@%2Fvar%2Frun/ficha",
            "postgres://db/a%40b",
            "postgres://db/ficha?password=a?b/c:d",
            "postgres:///?host=/var/run/postgresql&user=ficha&dbname=ficha",
            "postgresql://db",
            "postgres://db:5432/ficha \n",
        ] {
            assert!(read(url).is_ok(), "{url}: {}", error(url));
            assert!(Store::is_postgres_url(url));
        }
        let target = read("postgres://ficha:pass@[::1]:5433/a%40b").unwrap();
        assert_eq!((target.get_host(), target.get_port(), target.get_database()), ("::1", 5433, Some("a@b")));
    }

    #[test]
    fn every_option_of_sqlx_is_known_in_every_spelling() {
        for spelling in OPTIONS.concat() {
            let value = match known(spelling) {
                Some("sslmode") => "verify-full",
                Some("hostaddr") => "127.0.0.1",
                Some("port" | "statement-cache-capacity") => "100",
                Some(SESSION_ATTRIBUTES) => "read-write",
                _ => "x",
            };
            let url = format!("postgres://db/ficha?{spelling}={value}");
            assert!(read(&url).is_ok(), "{url}");
        }
        for options in ["options=-c%20a=b", "options[a.b]=1&options%5Bc%5D=2&options=-c%20d=3", "", "&"] {
            assert!(read(&format!("postgres://db/ficha?{options}")).is_ok(), "{options}");
        }
    }

    #[test]
    fn only_the_primary_can_be_asked_for_and_by_one_name() {
        for options in [
            "target_session_attrs=read-write",
            "sslmode=require&target_session_attrs=primary&application_name=x",
            "target_session_attrs=read-write&sslmode=require",
        ] {
            let target = read(&format!("postgres://ficha:pass@db/ficha?{options}")).unwrap();
            assert_eq!((target.get_host(), target.get_database()), ("db", Some("ficha")), "{options}");
        }
        for value in ["any", "standby", "prefer-standby", "read-only", ""] {
            let error = error(&format!("postgres://db/ficha?target_session_attrs={value}"));
            assert!(error.contains("must be read-write or primary"), "{value}: {error}");
        }
        for url in
            ["postgres://ficha:pass@db1,db2/ficha", "postgres://db1:5432,db2:5432/ficha", "postgres:///ficha?host=a,b"]
        {
            let error = error(url);
            assert!(error.contains("several hosts"), "{url}: {error}");
        }
    }

    #[test]
    fn an_unknown_option_is_rejected_and_named_if_that_is_harmless() {
        for (options, name) in [
            ("sslmod=verify-full", Some("sslmod")),
            ("sslmode=require&ssl.mode=x", Some("ssl.mode")),
            ("SSLMODE=require", Some("SSLMODE")),
            ("ssl%6Dode=require", None),
            ("sslmod", None),
            ("=x", None),
            ("password=a&bcd=e", None),
            ("options[a=b", None),
            ("options[a b]=c", None),
            ("options[]=c", None),
            ("optionsx=c", Some("optionsx")),
            ("a123456789b123456789c123456789d1=x", Some("a123456789b123456789c123456789d1")),
            ("a123456789b123456789c123456789d12=x", None),
            ("näme=x", None),
        ] {
            let error = error(&format!("postgres://db/ficha?{options}"));
            let shown = name.map_or_else(
                || "it has an unknown option;".to_owned(),
                |name| format!("it has the unknown option {name};"),
            );
            assert!(error.contains(&shown) && error.contains("sslmode, sslrootcert"), "{options}: {error}");
        }
    }

    #[test]
    fn a_repeated_option_and_a_bad_value_are_rejected_with_the_options_name() {
        for (options, words) in [
            ("sslmode=require&ssl-mode=disable", "the option sslmode more than once"),
            ("password=a&password=b", "the option password more than once"),
            ("user=x&sslmode=bogus", "the option sslmode is invalid: it must be disable, allow"),
            ("ssl-mode=bogus", "the option sslmode is invalid"),
            ("port=70000", "the option port is invalid"),
            ("hostaddr=bogus", "the option hostaddr is invalid: it must be an IP address"),
            ("statement-cache-capacity=bogus", "the option statement-cache-capacity is invalid"),
        ] {
            let error = error(&format!("postgres://db/ficha?{options}"));
            assert!(error.contains(words) && !error.contains("bogus"), "{options}: {error}");
        }
    }
}
