//! A user sets another password.

use ficha_password::Password;
use ficha_store::{Cause, EventActor, NewHash, PasswordHashText, StoreError, UserRecord};
use uuid::Uuid;

use crate::admin::{Admin, AdminError, NewPassword};
use crate::authn::outcome::{Authenticated, Outcome};
use crate::clients::AuthenticatedClient;
use crate::error::AuthorityError;
use crate::settings::ACCOUNT_SCOPE;
use crate::{Authority, RequestSource};

/// What a user sends to set another password.
#[derive(Debug)]
pub struct OwnPassword {
    /// The user's name.
    pub name: String,
    /// The password that they have.
    pub old: Password,
    /// The one that they want.
    pub new: Password,
    /// The session with which they ask, if any: once it has ended, nothing is changed.
    pub session: Option<Uuid>,
}

impl Authority {
    /// Sets another password for a user who knows the one that they have, and logs them out everywhere. Attempts are
    /// counted and throttled as those of the password grant, and one that fails is told no more. Returns how many
    /// sessions have ended.
    pub async fn change_own_password(&self, source: &RequestSource, wanted: OwnPassword) -> Result<u64, AdminError> {
        let OwnPassword { name, old, new, session } = wanted;
        let (client, admin) = (AuthenticatedClient::this_server(), self.admin());
        // Before anything about the user is known: what is said of the new password says nothing about them.
        if new.as_bytes() == old.as_bytes() {
            return Err(AdminError::Invalid("the new password is the old one".into()));
        }
        admin.check_new_password(&name, &new)?;
        self.require_room(&client, source, &name).map_err(refused)?;
        let checked = self.check_password(&client, source, &name, old).await.map_err(refused)?;
        let (Outcome::Authenticated(Authenticated { user, .. }) | Outcome::PasswordChangeRequired(user)) = checked;
        // Without a token, too, this is for who may look after themselves, or has to.
        let may = session.is_some() || user.must_change || user.scopes.contains(ACCOUNT_SCOPE);
        let changed = match may {
            true => self.replace_own_password(&admin, source, &user, new, session).await,
            false => Err(AdminError::BadCredentials),
        };
        if changed.is_err() {
            // The password was right: nobody should learn that without an event.
            self.record_refusal(&client, source, &name).await.map_err(refused)?;
        }
        changed
    }

    async fn replace_own_password(
        &self,
        admin: &Admin,
        source: &RequestSource,
        user: &UserRecord,
        new: Password,
        session: Option<Uuid>,
    ) -> Result<u64, AdminError> {
        let hash = admin.hash(&user.name, NewPassword::Plain(new)).await?;
        let text = PasswordHashText(hash.to_string());
        let new = NewHash { text: &text, cost: hash.cost().unwrap_or(0), must_change: false };
        let actor = EventActor::User { id: user.id, name: Some(user.name.clone()) };
        let cause = Cause { session, ..self.cause(actor, source) };
        // The version is compared: a password that was set meanwhile is kept.
        let now = self.denylist().expiry_now(&**self.clock());
        let revoked = self.store().change_password(user, new, now, &cause).await?;
        admin.finish(revoked.ok_or(AdminError::BadCredentials)?).await
    }
}

fn refused(error: AuthorityError) -> AdminError {
    match error {
        AuthorityError::BadCredentials => AdminError::BadCredentials,
        AuthorityError::Busy { .. } => AdminError::Busy,
        AuthorityError::Store(error) => error.into(),
        other => AdminError::Store(StoreError::Unavailable(other.to_string())),
    }
}
