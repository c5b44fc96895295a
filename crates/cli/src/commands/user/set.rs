//! `ficha user set`

use clap::Args;
use ficha_authority::UserChange;
use ficha_token::Scope;

use crate::declared::NewScopes;
use crate::error::CliError;
use crate::input_error::InputError;
use crate::lists::{self, Words};
use crate::old_spellings::warn;
use crate::place::Place;
use crate::report::Report;

#[derive(Debug, Args)]
// Without the old spellings.
#[command(override_usage = "ficha user set [OPTIONS] <USER>")]
pub struct Set {
    /// The user: the exact name, or the id
    user: String,
    /// The new scopes, in place of all others: names separated by spaces, "" for none; can be repeated; new names are declared
    #[arg(long, value_name = "SCOPES", value_parser = lists::scope)]
    scope: Vec<Scope>,
    /// The new roles, in place of all others: words separated by spaces, "" for none; can be repeated
    #[arg(long, value_name = "ROLES")]
    role: Vec<Words>,
    /// The new e-mail address, "" for none
    #[arg(long, value_name = "EMAIL")]
    email: Option<String>,
    /// Old spelling
    #[arg(long, hide = true, conflicts_with = "role")]
    no_roles: bool,
    /// Old spelling
    #[arg(long, hide = true, conflicts_with = "email")]
    no_email: bool,
}

impl Set {
    /// Refuses a command that names nothing to change.
    pub fn check(&self) -> Result<(), InputError> {
        if self.named().is_empty() { Err(InputError::NothingToChange) } else { Ok(()) }
    }

    /// The names of the fields that are to change, as a user is shown.
    fn named(&self) -> Vec<&'static str> {
        let all = [
            ("scopes", !self.scope.is_empty()),
            ("roles", !self.role.is_empty() || self.no_roles),
            ("email", self.email.is_some() || self.no_email),
        ];
        all.into_iter().filter_map(|(name, is_given)| is_given.then_some(name)).collect()
    }

    fn parse(self) -> (String, UserChange) {
        let (mut email, mut roles) = (lists::removable(self.email), lists::questioned(self.role, "role"));
        if self.no_roles {
            warn("--no-roles", "--role \"\"");
            roles = Some(Vec::new());
        }
        if self.no_email {
            warn("--no-email", "--email \"\"");
            email = Some(None);
        }
        (self.user, UserChange { email, scopes: lists::union(&self.scope), roles, ..UserChange::default() })
    }
}

/// Changes a user.
pub async fn run(place: &Place, report: Report, arguments: Set) -> Result<(), CliError> {
    let named = arguments.named();
    let (user, change) = arguments.parse();
    let declared = NewScopes::before(place, change.scopes.as_ref()).await;
    let (before, now, revoked) = place.change_user(&user, change).await?;
    declared.announce();
    report.changed(&format!("user {user}"), &named, (&before, &now), revoked)
}
