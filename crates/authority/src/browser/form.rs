//! What the sign-in form sends back, before there is a session: it shows that the form came from this server, and to this
//! browser.

use ficha_token::random_uuid;
use uuid::Uuid;

use crate::Authority;
use crate::error::AuthorityError;
use crate::keys::secret::Secret;
use crate::tokens::sealed::{Kind, Sealed};

/// A sign-in form.
#[derive(Debug, Clone)]
pub struct SignInForm {
    /// What the browser keeps in a cookie.
    pub browser: Uuid,
    /// What the form sends back.
    pub token: Secret,
}

impl Authority {
    /// A form for this browser, or for one that has no cookie yet.
    pub fn sign_in_form(&self, browser: Option<Uuid>) -> Result<SignInForm, AuthorityError> {
        let browser = browser.unwrap_or_else(|| random_uuid(&*self.inner.base.entropy));
        Ok(SignInForm { browser, token: self.sealed(Kind::SignInForm, browser, 0)? })
    }

    /// True if a form sends back what was made for this browser.
    pub async fn is_sign_in_form(&self, browser: Uuid, token: &str) -> Result<bool, AuthorityError> {
        Ok(self.unseal(Kind::SignInForm, token).await?.is_some_and(|sealed| sealed.session == browser))
    }

    /// Seals something with the newest refresh key.
    pub(super) fn sealed(&self, kind: Kind, session: Uuid, number: i64) -> Result<Secret, AuthorityError> {
        let keys = self.inner.keys.current();
        let newest = keys.newest_refresh();
        let (key_id, key) = newest.ok_or_else(|| AuthorityError::Key("there is no active refresh key".into()))?;
        Ok(Sealed { kind, key_id, session, number }.seal(key))
    }
}
