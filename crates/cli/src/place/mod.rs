//! Where a command acts: on the configured database, or at a server elsewhere. Either way it gets what the admin API shows.

mod clients;
mod jobs;
mod keys;
mod scopes;
mod sessions;
mod users;

use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

pub use self::clients::{ChangedClient, NewSecret};
pub use self::jobs::changed;
pub use self::keys::{Ended, purge_here};
pub use self::sessions::Which;
pub use self::users::AddUser;
use crate::admin_context::{self, AdminContext, Empty};
use crate::commands::login::{Loaded, log_warnings};
use crate::error::CliError;
use crate::input_error::InputError;
use crate::remote::Remote;
use crate::report::Report;
use crate::token_file::AdminTokenFile;

/// How many rows of the database are read at a time.
const PAGE: u64 = 500;

/// The options that every command on the database or at a server has.
#[derive(Debug, Args)]
pub struct At {
    /// Print one JSON document: what the admin API answers to the same request
    #[arg(long, global = true, display_order = 900)]
    json: bool,
    /// Ask this server over HTTP, as the user whom `ficha login --admin` signed in, instead of the local database
    #[arg(long, global = true, value_name = "URL", help_heading = "At a server elsewhere")]
    server: Option<String>,
    /// With --server: where its admin API is, if it has an address of its own (the setting admin.origin there)
    #[arg(long, global = true, value_name = "URL", requires = "server", help_heading = "At a server elsewhere")]
    admin_origin: Option<String>,
    #[command(flatten)]
    file: AdminTokenFile,
}

/// Where a command acts.
pub enum Place {
    /// On the configured database.
    Here(Box<AdminContext>),
    /// At a server, over its admin API.
    There(Remote),
}

impl At {
    /// Runs a command there. `empty` says what becomes of an empty database.
    pub async fn run(
        &self,
        configuration: Loaded,
        empty: Empty,
        command: impl AsyncFnOnce(&Place, Report) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let place = self.open(configuration, empty).await?;
        let outcome = command(&place, Report::new(self.json)).await;
        if let Place::There(remote) = &place {
            remote.settled().await;
        }
        outcome
    }

    async fn open(&self, configuration: Loaded, empty: Empty) -> Result<Place, CliError> {
        match &self.server {
            None => Ok(Place::Here(Box::new(admin_context::open(&configuration?, empty).await?))),
            Some(server) => {
                log_warnings(&configuration);
                Ok(Place::There(Remote::open(server, self.admin_origin.as_deref(), &self.file).await?))
            }
        }
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Args)]
pub struct Part {
    /// At most this many [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Continue after this one: the last of the previous list
    #[arg(long, value_name = "ID")]
    pub after: Option<String>,
}

/// Some items of a list, and where the next ones begin.
struct Items<T> {
    items: Vec<T>,
    next: Option<String>,
}

impl Part {
    /// Reads it page by page. `page` gets where to continue, and how many items are wanted at most.
    async fn read<T>(
        self,
        page: impl AsyncFn(Option<String>, u64) -> Result<Items<T>, CliError>,
    ) -> Result<Vec<T>, CliError> {
        let (mut all, mut after) = (Vec::new(), self.after);
        let limit = self.limit.unwrap_or(u64::MAX);
        loop {
            let left = limit - all.len() as u64;
            let part = page(after, left).await?;
            all.extend(part.items);
            after = part.next;
            if after.is_none() || all.len() as u64 >= limit {
                all.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
                return Ok(all);
            }
        }
    }
}

impl<T> From<ficha_client::admin::Page<T>> for Items<T> {
    fn from(page: ficha_client::admin::Page<T>) -> Self {
        Self { items: page.items, next: page.next }
    }
}

/// How many items to ask a server for, if this many are left.
fn asked(left: u64) -> u32 {
    u32::try_from(left).unwrap_or(crate::remote::PAGE).min(crate::remote::PAGE)
}

/// What the admin API shows of something in the database.
fn shown<T: DeserializeOwned>(view: impl Serialize) -> Result<T, CliError> {
    serde_json::to_value(view).and_then(serde_json::from_value).map_err(|error| CliError::Output(error.into()))
}

/// An id that was typed.
fn id(text: &str) -> Result<Uuid, CliError> {
    text.parse().map_err(|_| InputError::NotAnId(text.to_owned()).into())
}
