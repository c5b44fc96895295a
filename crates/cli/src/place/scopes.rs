//! Declared scopes.

use ficha_client::admin::{Declared, Scope};
use serde_json::json;

use super::{Place, shown};
use crate::admin_context::actor;
use crate::error::CliError;

impl Place {
    /// Every declared scope, by name.
    pub async fn scopes(&self) -> Result<Vec<Scope>, CliError> {
        match self {
            Self::Here(context) => {
                context.admin.scopes(&actor()).await?.iter().map(|(name, text)| scope(name, text)).collect()
            }
            Self::There(remote) => Ok(remote.client.scopes().await?),
        }
    }

    /// Declares a scope.
    pub async fn add_scope(&self, name: &str, description: &str) -> Result<Scope, CliError> {
        match self {
            Self::Here(context) => {
                context.admin.add_scope(&actor(), name, description).await?;
                scope(name, description)
            }
            Self::There(remote) => Ok(remote.client.declare_scope(name, description, Declared::No).await?),
        }
    }

    /// Describes a declared scope.
    pub async fn describe_scope(&self, name: &str, description: &str) -> Result<Scope, CliError> {
        match self {
            Self::Here(context) => {
                context.admin.describe_scope(&actor(), name, description).await?;
                scope(name, description)
            }
            Self::There(remote) => Ok(remote.client.declare_scope(name, description, Declared::Yes).await?),
        }
    }

    /// Removes the declaration of a scope.
    pub async fn delete_scope(&self, name: &str) -> Result<(), CliError> {
        match self {
            Self::Here(context) => Ok(context.admin.remove_scope(&actor(), name).await?),
            Self::There(remote) => Ok(remote.client.remove_scope(name).await?),
        }
    }
}

fn scope(name: &str, description: &str) -> Result<Scope, CliError> {
    shown(json!({ "name": name, "description": description }))
}
