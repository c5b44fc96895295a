//! How users are shown.

use ficha_client::admin::{FailedLogins, User};

use crate::error::CliError;
use crate::output::{or_dash, yes_no};
use crate::report::{Fields, Report};

impl Fields for User {
    fn fields(&self) -> Vec<(&'static str, String)> {
        let fields = [
            ("name", self.name.clone()),
            ("id", self.id.clone()),
            ("email", or_dash(self.email.as_deref())),
            ("scopes", or_dash(Some(&self.scopes.join(" ")))),
            ("roles", or_dash(Some(&self.roles.join(" ")))),
            ("enabled", yes_no(self.enabled)),
            ("must change password", yes_no(self.must_change)),
            ("created", self.created_at.clone()),
        ];
        fields.into_iter().chain(self.failed_logins.iter().map(|failed| ("failed logins", line(failed)))).collect()
    }
}

fn line(failed: &FailedLogins) -> String {
    let FailedLogins { failures, sources, last_at, throttled, blocked, .. } = failed;
    if *failures == 0 && !blocked {
        return "none".into();
    }
    let number = |count: &u64, what: &str| format!("{count} {what}{}", if *count == 1 { "" } else { "s" });
    let mut text = format!("{failures} in a row from {}", number(sources, "source"));
    if let Some(last_at) = last_at {
        text.push_str(&format!(", the last at {last_at}"));
    }
    if *throttled > 0 {
        text.push_str(&format!("; {} throttled, whatever password is sent", number(throttled, "source")));
    }
    if *blocked {
        text.push_str("; sources that never logged in are blocked");
    }
    text
}

/// Prints many users.
pub fn list(report: Report, users: &[User]) -> Result<(), CliError> {
    report.list(["NAME", "SCOPES", "ROLES", "ENABLED", "EMAIL", "CREATED"], users, |user| {
        let (scopes, roles) = (or_dash(Some(&user.scopes.join(" "))), or_dash(Some(&user.roles.join(" "))));
        let (enabled, email) = (yes_no(user.enabled), or_dash(user.email.as_deref()));
        [user.name.clone(), scopes, roles, enabled, email, user.created_at.clone()]
    })
}
