//! `ficha client add-secret`.

use clap::Args;

use super::view;
use crate::config::duration::Seconds;
use crate::error::CliError;
use crate::place::{NewSecret, Place};
use crate::report::Report;

#[derive(Debug, Args)]
pub struct New {
    /// The client's id
    client: String,
    /// Let the old secret work for so long, so that the application changes over without a gap: `24h`, `7d`
    #[arg(long, value_name = "DURATION")]
    keep_old: Option<Seconds>,
    /// Let the new secret expire after so long
    #[arg(long, value_name = "DURATION")]
    expires: Option<Seconds>,
}

/// Adds a secret, in place of the others unless they are kept for a while.
pub async fn add(place: &Place, report: Report, arguments: New) -> Result<(), CliError> {
    let New { client, keep_old, expires } = arguments;
    let [keep_old, expires] = [keep_old, expires].map(|duration| duration.map(|Seconds(seconds)| seconds));
    let (about, secret) = place.add_client_secret(&client, NewSecret { keep_old, expires }).await?;
    view::secret(report, &client, &about, &secret, keep_old.is_some())
}
