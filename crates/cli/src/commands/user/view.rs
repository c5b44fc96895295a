//! How users are shown.

use ficha_client::admin::User;

use crate::error::CliError;
use crate::output::{or_dash, yes_no};
use crate::report::{Fields, Report};

impl Fields for User {
    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("name", self.name.clone()),
            ("id", self.id.clone()),
            ("email", or_dash(self.email.as_deref())),
            ("scopes", or_dash(Some(&self.scopes.join(" ")))),
            ("roles", or_dash(Some(&self.roles.join(" ")))),
            ("enabled", yes_no(self.enabled)),
            ("must change password", yes_no(self.must_change)),
            ("created", self.created_at.clone()),
        ]
    }
}

/// Prints many users.
pub fn list(report: Report, users: &[User]) -> Result<(), CliError> {
    report.list(["NAME", "SCOPES", "ROLES", "ENABLED", "EMAIL", "CREATED"], users, |user| {
        let (scopes, roles) = (or_dash(Some(&user.scopes.join(" "))), or_dash(Some(&user.roles.join(" "))));
        let (enabled, email) = (yes_no(user.enabled), or_dash(user.email.as_deref()));
        [user.name.clone(), scopes, roles, enabled, email, user.created_at.clone()]
    })
}
