//! Scopes: the names that users and clients may be granted.

use ficha_token::Scope;

use super::powers::{Access, Area};
use super::{Actor, Admin, AdminError};
use crate::own_clients::OWN_SCOPES;

impl Admin {
    /// Declares a scope, or changes its description.
    pub async fn declare_scope(&self, actor: &Actor, name: &str, description: &str) -> Result<(), AdminError> {
        check_declared(actor, name)?;
        Ok(self.base.store.declare_scope(name, description, &self.cause(actor)).await?)
    }

    /// Declares a scope that is not declared yet.
    pub async fn add_scope(&self, actor: &Actor, name: &str, description: &str) -> Result<(), AdminError> {
        check_declared(actor, name)?;
        check_description(description)?;
        let is_new = self.base.store.add_scope(name, description, &self.cause(actor)).await?;
        if is_new { Ok(()) } else { Err(AdminError::Taken { kind: "scope", name: name.to_owned() }) }
    }

    /// Replaces the description of a declared scope.
    pub async fn describe_scope(&self, actor: &Actor, name: &str, description: &str) -> Result<(), AdminError> {
        check_declared(actor, name)?;
        check_description(description)?;
        let is_there = self.base.store.describe_scope(name, description, &self.cause(actor)).await?;
        if is_there { Ok(()) } else { Err(no_scope(name)) }
    }

    /// Removes a scope's declaration. Users and clients that have the scope keep it. Those of the server's own stay.
    pub async fn remove_scope(&self, actor: &Actor, name: &str) -> Result<(), AdminError> {
        actor.require(Access::Write, Area::Scopes)?;
        if OWN_SCOPES.iter().any(|(own, _)| *own == name) {
            return Err(AdminError::Invalid(format!("the scope {name} is the server's own: it stays declared")));
        }
        let is_gone = self.base.store.remove_scope(name, &self.cause(actor)).await?;
        if is_gone { Ok(()) } else { Err(no_scope(name)) }
    }

    /// Every declared scope: name and description.
    pub async fn scopes(&self, actor: &Actor) -> Result<Vec<(String, String)>, AdminError> {
        actor.require(Access::Read, Area::Scopes)?;
        Ok(self.base.store.list_scopes().await?)
    }

    /// Declares those scopes of a user or a client that are new. Nothing is declared if one of them is refused.
    pub(super) async fn declare(&self, actor: &Actor, scopes: &Scope) -> Result<(), AdminError> {
        let known = self.base.store.list_scopes().await?;
        let new: Vec<&str> = scopes.iter().filter(|name| known.iter().all(|(known, _)| known != name)).collect();
        for name in &new {
            actor.require(Access::Write, Area::Scopes)?;
            check_undeclared(name)?;
        }
        for name in new {
            self.base.store.declare_scope(name, "", &self.cause(actor)).await?;
        }
        Ok(())
    }
}

/// Who may declare scopes, and which.
fn check_declared(actor: &Actor, name: &str) -> Result<(), AdminError> {
    actor.require(Access::Write, Area::Scopes)?;
    let scope: Scope = name.parse().map_err(|error| AdminError::Invalid(format!("{name:?}: {error}")))?;
    if scope.len() != 1 {
        return Err(AdminError::Invalid(format!("{name:?} is not one scope name")));
    }
    refuse_reserved(name)
}

/// The longest description, in characters.
const MOST: usize = 500;

fn check_description(text: &str) -> Result<(), AdminError> {
    match text.chars().count() > MOST || text.chars().any(char::is_control) {
        true => {
            Err(AdminError::Invalid(format!("a description has at most {MOST} characters, and no control characters")))
        }
        false => Ok(()),
    }
}

fn no_scope(name: &str) -> AdminError {
    AdminError::NoSuch { kind: "scope", name: name.to_owned() }
}

/// A name that a user or a client is given, and that nobody has declared.
pub(super) fn check_undeclared(name: &str) -> Result<(), AdminError> {
    refuse_reserved(name)?;
    refuse_list(name)
}

/// `any` is what a client has instead of a list.
fn refuse_reserved(name: &str) -> Result<(), AdminError> {
    match name {
        "any" => Err(AdminError::Invalid(
            "`any` is reserved: as a client's only entry, it allows every scope that its user has".into(),
        )),
        _ => Ok(()),
    }
}

/// A comma may be part of a name (RFC 6749 §3.3), but is usually meant to separate two.
fn refuse_list(name: &str) -> Result<(), AdminError> {
    if !name.contains(',') {
        return Ok(());
    }
    let names: Vec<&str> = name.split(',').filter(|name| !name.is_empty()).collect();
    let question = if names.is_empty() { String::new() } else { format!("did you mean {:?}? ", names.join(" ")) };
    Err(AdminError::Invalid(format!(
        "{question}Spaces separate scopes; a name with a comma has to be declared by itself first, as with `ficha scope add`"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_with_commas_and_any_are_questioned() {
        let asked = refuse_list("notes:read,notes:write").unwrap_err().to_string();
        assert!(asked.contains("\"notes:read notes:write\""), "{asked}");
        assert!(refuse_list("notes:read").is_ok());
        assert!(refuse_reserved("any").is_err());
        assert!(refuse_reserved("anything").is_ok());
    }
}
