//! `/console/users`.

pub mod actions;
pub mod edit;
pub mod import;
pub mod list;
pub mod new;
pub mod show;

use ficha_authority::{ACCOUNT_SCOPE, UserRecord};
use ficha_token::Scope;

use crate::api::users::version;
use crate::pages::answer::PageError;
use crate::pages::frame::Frame;
use crate::pages::visitor::Visitor;
use crate::pages::when::When;
use crate::state::State;

/// A user, as a page shows them.
pub struct Row {
    pub id: String,
    pub name: String,
    pub email: String,
    pub is_enabled: bool,
    pub must_change: bool,
    pub scopes: Vec<String>,
    pub roles: Vec<String>,
    pub created: When,
    /// Which state of the user this is: a change is refused if it is another one by then.
    pub version: String,
}

impl Row {
    pub fn new(frame: &Frame, user: UserRecord) -> Self {
        Self {
            version: version(&user),
            id: user.id.to_string(),
            name: user.name,
            email: user.email.unwrap_or_default(),
            is_enabled: user.enabled,
            must_change: user.must_change,
            scopes: user.scopes.iter().map(str::to_owned).collect(),
            roles: user.roles,
            created: frame.when(user.created_at),
        }
    }
}

/// The user of this id or name.
pub async fn find(visitor: &Visitor, state: &State, id: &str) -> Result<UserRecord, PageError> {
    let admin = state.authority.admin();
    Ok(admin.user_by_id(visitor.actor(), admin.user_id(visitor.actor(), id).await?).await?)
}

/// Scopes as they are typed: names with spaces or line breaks between them. `None` if they can't be that.
pub fn typed_scopes(text: &str) -> Option<Scope> {
    text.split_whitespace().collect::<Vec<_>>().join(" ").parse().ok()
}

/// True if these scopes have one of the server's own that those did not have: then it is asked who is there.
pub fn grants_own(before: &Scope, after: &Scope) -> bool {
    after.iter().any(|name| name.starts_with("ficha:") && name != ACCOUNT_SCOPE && !before.contains(name))
}
