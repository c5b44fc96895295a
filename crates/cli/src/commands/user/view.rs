//! A user as shown, wherever they are: without the password hash.

use ficha_authority::UserRecord;
use ficha_client::admin::User;
use serde::Serialize;

use crate::error::CliError;
use crate::output::{self, or_dash, time, yes_no};

#[derive(Serialize)]
pub struct Shown {
    id: String,
    pub name: String,
    email: Option<String>,
    scope: String,
    roles: Vec<String>,
    enabled: bool,
    must_change: bool,
    created_at: String,
}

impl From<&UserRecord> for Shown {
    fn from(user: &UserRecord) -> Self {
        Self {
            id: user.id.to_string(),
            name: user.name.clone(),
            email: user.email.clone(),
            scope: user.scopes.to_string(),
            roles: user.roles.clone(),
            enabled: user.enabled,
            must_change: user.must_change,
            created_at: time(user.created_at),
        }
    }
}

impl From<User> for Shown {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            name: user.name,
            email: user.email,
            scope: user.scopes.join(" "),
            roles: user.roles,
            enabled: user.enabled,
            must_change: user.must_change,
            created_at: user.created_at,
        }
    }
}

impl Shown {
    /// Prints one user.
    pub fn print(self, json: bool) -> Result<(), CliError> {
        if json {
            return output::json(&self);
        }
        output::fields(&[
            ("name", self.name),
            ("id", self.id),
            ("email", or_dash(self.email.as_deref())),
            ("scopes", or_dash(Some(&self.scope))),
            ("roles", or_dash(Some(&self.roles.join(" ")))),
            ("enabled", yes_no(self.enabled)),
            ("must change password", yes_no(self.must_change)),
            ("created", self.created_at),
        ])
    }
}

/// Prints many users, in the order in which they were created.
pub fn list(users: impl Iterator<Item = Shown>, json: bool) -> Result<(), CliError> {
    if json {
        return output::json(&users.collect::<Vec<_>>());
    }
    let row = |user: Shown| {
        let (scope, roles) = (or_dash(Some(&user.scope)), or_dash(Some(&user.roles.join(" "))));
        [user.name, scope, roles, yes_no(user.enabled), or_dash(user.email.as_deref()), user.created_at]
    };
    let rows: Vec<_> = users.map(row).collect();
    output::table(["NAME", "SCOPES", "ROLES", "ENABLED", "EMAIL", "CREATED"], &rows)
}
