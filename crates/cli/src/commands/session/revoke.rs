//! `ficha session revoke`

use std::time::Duration;

use clap::{ArgGroup, Args};
use uuid::Uuid;

use super::{list, receipt};
use crate::commands::recover;
use crate::error::CliError;
use crate::lists;
use crate::output::{self, ended};
use crate::place::{Place, Which};
use crate::report::Report;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["session", "user", "client", "filter", "all"]))]
pub struct Revoke {
    /// The session's id: the `sid` of its tokens
    #[arg(value_parser = lists::id)]
    session: Option<Uuid>,
    /// All sessions of this user
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// All sessions of this client
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,
    /// All sessions that fit this, such as `user=alice`; repeat it to narrow them. What fits is counted first
    #[arg(long, value_name = "NAME=VALUE", value_parser = list::pair)]
    filter: Vec<(String, String)>,
    /// All sessions, at once; new keys replace the old ones: the same as `ficha key purge`
    #[arg(long)]
    all: bool,
    /// With --all or --filter: don't ask for confirmation
    #[arg(long)]
    yes: bool,
    /// How long to wait for the services that check tokens to refuse them, up to 30; with 0, none is shown
    #[arg(
        long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(..=30),
        conflicts_with = "all",
    )]
    wait: u64,
}

/// Ends sessions.
pub async fn run(place: &Place, report: Report, arguments: Revoke) -> Result<(), CliError> {
    let wait = (arguments.wait > 0).then(|| Duration::from_secs(arguments.wait));
    let whose = match (&arguments.user, &arguments.client) {
        (Some(user), _) => format!("user {user}: "),
        (_, Some(client)) => format!("client {client}: "),
        _ => String::new(),
    };
    let which = match (arguments.session, arguments.user, arguments.client) {
        _ if arguments.all => return recover::tell(report, &place.purge(arguments.yes).await?),
        (Some(id), ..) => Which::One(id),
        (_, Some(user), _) => Which::OfUser(user),
        (.., Some(client)) => Which::OfClient(client),
        // clap requires one of them.
        (None, None, None) => Which::Fitting(arguments.filter),
    };
    let done = place.revoke(which, wait, arguments.yes).await?;
    if report.is_json() {
        return output::json(&done);
    }
    output::say(&format!("{whose}{}", ended(done.revoked)))?;
    done.receipt.as_ref().map_or(Ok(()), receipt::print)
}
