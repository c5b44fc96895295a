//! Where a command acts: on the configured database, or at a server elsewhere.

use clap::Args;

use crate::admin_context::{self, AdminContext, Empty};
use crate::commands::login::{Loaded, log_warnings};
use crate::error::CliError;
use crate::remote::Remote;
use crate::token_file::AdminTokenFile;

/// The options that say where.
#[derive(Debug, Args)]
pub struct At {
    /// Ask this server over HTTP, as the user whom `ficha login --admin` signed in, instead of the local database
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// With --server: where its admin API is, if it has an address of its own (the setting admin.origin there)
    #[arg(long, global = true, value_name = "URL", requires = "server")]
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
    /// Opens it. `empty` says what becomes of an empty database.
    pub async fn open(&self, configuration: Loaded, empty: Empty) -> Result<Place, CliError> {
        match &self.server {
            None => Ok(Place::Here(Box::new(admin_context::open(&configuration?, empty).await?))),
            Some(server) => {
                log_warnings(&configuration);
                Ok(Place::There(Remote::open(server, self.admin_origin.as_deref(), &self.file).await?))
            }
        }
    }
}
