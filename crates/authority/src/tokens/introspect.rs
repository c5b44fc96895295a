//! Introspection (RFC 7662): what a client may see of a token.

use ficha_token::{AccessClaims, DenyId, Introspection};

use crate::Authority;
use crate::clients::AuthenticatedClient;
use crate::error::AuthorityError;

impl Authority {
    /// What `client` may see of a verified access token. For a client that neither serves its audience nor obtained it,
    /// the token is inactive (RFC 7662 §4).
    pub fn introspect_access_token(&self, client: &AuthenticatedClient, claims: &AccessClaims) -> Introspection {
        let serves = claims.aud.iter().any(|audience| client.record().serves.contains(audience));
        if !serves && claims.client_id != client.id() {
            return Introspection::inactive();
        }
        Introspection::of_access_token(claims.clone(), None)
    }

    /// What `client` may see of a text that is not a valid access token: it may be one of its own refresh tokens.
    pub async fn introspect_refresh_token(
        &self,
        client: &AuthenticatedClient,
        token: &str,
    ) -> Result<Introspection, AuthorityError> {
        let Some(token) = self.read_refresh_token(token) else { return Ok(Introspection::inactive()) };
        let now = self.earliest_now();
        // The database may have lost a revocation that is still known here.
        if self.denylist().contains(&DenyId::from(token.session), now) {
            return Ok(Introspection::inactive());
        }
        let live = self.store().live_session(token.session, now).await?;
        let live = live.filter(|row| row.client_id == client.id() && row.generation == token.generation);
        let Some(session) = live else { return Ok(Introspection::inactive()) };
        let mut answer = Introspection::inactive();
        answer.active = true;
        answer.auth_time = Some(session.auth_time());
        answer.scope = Some(session.scopes);
        answer.client_id = Some(session.client_id);
        answer.exp = Some(session.idle_expires_at);
        answer.iat = Some(session.rotated_at);
        answer.sub = Some(session.subject);
        answer.iss = Some(self.settings().issuer.as_str().to_owned());
        answer.sid = Some(session.id);
        Ok(answer)
    }
}
