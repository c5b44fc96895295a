//! Says which scopes a command has declared: a misspelt name would otherwise become a scope in silence.

use ficha_authority::ClientScopes;
use ficha_token::Scope;

use crate::admin_context::{AdminContext, actor};
use crate::output;
use crate::remote::Remote;

/// The scopes that a command names and that were not declared before it.
pub struct NewScopes(Vec<String>);

impl NewScopes {
    /// Those of the configured database.
    pub async fn here(context: &AdminContext, wanted: Option<&Scope>) -> Self {
        let Some(wanted) = named(wanted) else { return Self(Vec::new()) };
        let declared = context.admin.scopes(&actor()).await;
        declared.map_or(Self(Vec::new()), |all| Self::among(wanted, all.iter().map(|(name, _)| name.as_str())))
    }

    /// Those of a server elsewhere, if its list may be read.
    pub async fn there(remote: &Remote, wanted: Option<&Scope>) -> Self {
        let Some(wanted) = named(wanted) else { return Self(Vec::new()) };
        let declared = remote.client.scopes().await;
        declared.map_or(Self(Vec::new()), |all| Self::among(wanted, all.iter().map(|scope| scope.name.as_str())))
    }

    /// Those that are declared now, whatever the command names: for [`NewScopes::since`].
    pub async fn all_here(context: &AdminContext) -> Vec<String> {
        let declared = context.admin.scopes(&actor()).await;
        declared.map_or(Vec::new(), |all| all.into_iter().map(|(name, _)| name).collect())
    }

    /// The same of a server elsewhere, if its list may be read.
    pub async fn all_there(remote: &Remote) -> Vec<String> {
        remote.client.scopes().await.map_or(Vec::new(), |all| all.into_iter().map(|scope| scope.name).collect())
    }

    /// Those that have been declared since.
    pub fn since(before: &[String], now: Vec<String>) -> Self {
        // An empty list may be one that could not be read.
        let is_known = !before.is_empty();
        Self(now.into_iter().filter(|name| is_known && !before.contains(name)).collect())
    }

    fn among<'a>(wanted: &Scope, declared: impl Iterator<Item = &'a str>) -> Self {
        let declared: Vec<&str> = declared.collect();
        Self(wanted.iter().filter(|name| !declared.contains(name)).map(str::to_owned).collect())
    }

    /// Says so on standard error, after the command has succeeded.
    pub fn announce(self) {
        if !self.0.is_empty() {
            output::note(&format!("new scopes, declared now: {}", self.0.join(", ")));
        }
    }
}

fn named(wanted: Option<&Scope>) -> Option<&Scope> {
    wanted.filter(|scope| !scope.is_empty())
}

/// The names in a client's list.
pub fn names(scopes: &ClientScopes) -> Option<&Scope> {
    match scopes {
        ClientScopes::Any => None,
        ClientScopes::Only(scope) => Some(scope),
    }
}
