//! Servers on one database should agree: a token of one must be valid at the others. Each heartbeat says what its
//! process has; differences are logged, once each.

use std::collections::HashSet;
use std::time::Duration;

use ficha_store::{Neighbour, StoreError};

use crate::Authority;
use crate::settings::{Settings, SigningSettings};

/// How often the others are looked at.
const EVERY: Duration = Duration::from_secs(60);
/// A process whose heartbeat does not move for this long is not running.
const BEATS_WITHIN: Duration = Duration::from_secs(3);

/// What servers on one database must have in common, as lines of `setting=value`.
pub(crate) fn in_common(settings: &Settings) -> String {
    let algorithm = match &settings.signing {
        SigningSettings::KeyPair { algorithm, .. } => algorithm.as_str(),
        SigningSettings::SharedSecret(_) => "HS256 (token.secret_key)",
    };
    let (issuer, access_ttl) = (settings.issuer.as_str(), settings.token.access_seconds());
    format!("server.issuer={issuer}\ntoken.access_ttl={access_ttl} s\nkeys.algorithm={algorithm}")
}

/// Compares this server with the others, again and again.
pub(crate) async fn compare(authority: Authority) {
    let own = in_common(authority.settings());
    let mut told = HashSet::new();
    loop {
        match running(&authority).await {
            Ok(others) => {
                let theirs: HashSet<&String> = others.iter().filter_map(|other| other.settings.as_ref()).collect();
                let found: Vec<String> = theirs.into_iter().flat_map(|theirs| differences(&own, theirs)).collect();
                for difference in &found {
                    if !told.contains(difference) {
                        tracing::warn!(difference, "another server on this database has other settings");
                    }
                }
                // A difference that comes back is told again.
                told = found.into_iter().collect();
            }
            // An outage has its own log line.
            Err(error) => tracing::debug!(%error, "the other servers' settings could not be read"),
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// The other processes that are running: their heartbeats move.
async fn running(authority: &Authority) -> Result<Vec<Neighbour>, StoreError> {
    let before = authority.store().neighbours().await?;
    tokio::time::sleep(BEATS_WITHIN).await;
    let now = authority.store().neighbours().await?;
    let moves =
        |other: &Neighbour| before.iter().any(|seen| seen.process == other.process && seen.number < other.number);
    Ok(now.into_iter().filter(moves).collect())
}

fn differences(own: &str, theirs: &str) -> Vec<String> {
    let settings = |text: &str| -> Vec<(String, String)> {
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    let theirs = settings(theirs);
    let differs = |(key, value): (String, String)| {
        let (_, other) = theirs.iter().find(|(theirs, _)| *theirs == key)?;
        (*other != value).then(|| format!("{key} is {value} here and {other} there"))
    };
    settings(own).into_iter().filter_map(differs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_difference_is_named_and_an_unknown_setting_is_none() {
        let own = "server.issuer=https://a?x=1\ntoken.access_ttl=600 s\nkeys.algorithm=ES256";
        assert_eq!(differences(own, own), [""; 0]);
        assert_eq!(differences(own, "token.access_ttl=600 s\nnew=1"), [""; 0]);
        assert_eq!(
            differences(own, "keys.algorithm=EdDSA\nserver.issuer=https://b"),
            ["server.issuer is https://a?x=1 here and https://b there", "keys.algorithm is ES256 here and EdDSA there"]
        );
    }
}
