//! What a client may be, and which changes of it end its sessions.

use ficha_store::{ClientRecord, ClientScopes};
use ficha_token::Grant;

use super::AdminError;
use crate::audience::check_audience;
use crate::settings::{ADMIN_CLI, CONSOLE};

/// True if `after` may do less than `before`, or issues tokens for another audience, or is public and `before` is not:
/// a refresh token that was of no use without the secret would be of use without it.
pub(super) fn narrows(before: &ClientRecord, after: &ClientRecord) -> bool {
    let fewer_scopes = match (&before.scopes, &after.scopes) {
        (_, ClientScopes::Any) => false,
        (ClientScopes::Any, ClientScopes::Only(_)) => true,
        (ClientScopes::Only(before), ClientScopes::Only(after)) => !before.is_subset(after),
    };
    let no_own_scopes = before.own_scopes && !after.own_scopes;
    let no_secret = !before.is_public() && after.is_public();
    fewer_scopes
        || no_own_scopes
        || no_secret
        || before.audience != after.audience
        || before.grants.iter().any(|grant| !after.grants.contains(grant))
}

/// RFC 6749 appendix A.1: printable ASCII.
pub(super) fn check_id(id: &str) -> Result<(), AdminError> {
    let printable = id.bytes().all(|byte| matches!(byte, 0x20..=0x7E));
    // Browsers read these two as a way through folders, whatever is done to write them otherwise.
    let is_folder = matches!(id, "." | "..");
    if id.is_empty() || id.len() > 128 || !printable || id.trim() != id || is_folder {
        return Err(AdminError::Invalid(
            "a client id is 1 to 128 printable ASCII characters, without a space at either end, and not . or ..".into(),
        ));
    }
    Ok(())
}

pub(super) fn check(client: &ClientRecord) -> Result<(), AdminError> {
    let refuse = |text: &str| Err(AdminError::Invalid(text.into()));
    let public = client.is_public();
    if public && client.grants.contains(&Grant::ClientCredentials) {
        return refuse("a public client can't use client_credentials: it has no secret");
    }
    if public && !client.serves.is_empty() {
        return refuse("a public client can't serve an audience: introspection and the denylist require a secret");
    }
    if public && client.forwards_address {
        return refuse("a public client can't be trusted to forward addresses");
    }
    if client.grants.contains(&Grant::RefreshToken) && !client.grants.contains(&Grant::Password) {
        return refuse("refresh_token requires the password grant");
    }
    Ok(())
}

/// The command line and the console have no secret to send.
pub(super) fn check_own_client(before: &ClientRecord, after: &ClientRecord) -> Result<(), AdminError> {
    if [ADMIN_CLI, CONSOLE].contains(&before.id.as_str()) && before.is_public() && !after.is_public() {
        let text = format!("{:?} is a client of the server itself and has to stay public", before.id);
        return Err(AdminError::Invalid(text));
    }
    Ok(())
}

/// Audiences that a client is given: those that it had before may be from before there were rules.
pub(super) fn check_audiences<'a>(names: impl IntoIterator<Item = &'a String>) -> Result<(), AdminError> {
    for name in names {
        check_audience(name).map_err(|why| AdminError::Invalid(format!("the audience {name:?} {why}")))?;
    }
    Ok(())
}

/// `any` means the scopes of the user, and client_credentials has no user: the tokens would have no scopes.
pub(super) fn check_own_scopes(client: &ClientRecord) -> Result<(), AdminError> {
    let only_own = client.grants == [Grant::ClientCredentials];
    if only_own && client.scopes == ClientScopes::Any {
        let text = "the scopes `any` are those of the user, and client_credentials alone has no user: name the scopes";
        return Err(AdminError::Invalid(text.into()));
    }
    Ok(())
}
