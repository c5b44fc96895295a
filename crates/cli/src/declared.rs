//! Says which scopes a command has declared: a misspelt name would otherwise become a scope in silence.

use ficha_authority::ClientScopes;
use ficha_token::Scope;

use crate::output;
use crate::place::Place;

/// The scopes that a command names and that were not declared before it.
pub struct NewScopes(Vec<String>);

impl NewScopes {
    /// Those among the wanted ones, before the command; none if the list may not be read.
    pub async fn before(place: &Place, wanted: Option<&Scope>) -> Self {
        let Some(wanted) = wanted.filter(|scope| !scope.is_empty()) else { return Self(Vec::new()) };
        let Ok(declared) = place.scopes().await else { return Self(Vec::new()) };
        let is_new = |name: &&str| declared.iter().all(|scope| scope.name != *name);
        Self(wanted.iter().filter(is_new).map(str::to_owned).collect())
    }

    /// Those that are declared now, whatever the command names: for [`NewScopes::since`].
    pub async fn all(place: &Place) -> Vec<String> {
        place.scopes().await.map_or(Vec::new(), |all| all.into_iter().map(|scope| scope.name).collect())
    }

    /// Those that have been declared since.
    pub fn since(before: &[String], now: Vec<String>) -> Self {
        // An empty list may be one that could not be read.
        let is_known = !before.is_empty();
        Self(now.into_iter().filter(|name| is_known && !before.contains(name)).collect())
    }

    /// Says so on standard error, after the command has succeeded.
    pub fn announce(self) {
        if !self.0.is_empty() {
            output::note(&format!("new scopes, declared now: {}", self.0.join(", ")));
        }
    }
}

/// The names in a client's list.
pub fn names(scopes: &ClientScopes) -> Option<&Scope> {
    match scopes {
        ClientScopes::Any => None,
        ClientScopes::Only(scope) => Some(scope),
    }
}
