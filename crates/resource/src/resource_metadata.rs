//! The metadata of a protected resource (RFC 9728): where a client that knows only the service learns who issues its
//! tokens.

use serde::Serialize;
use url::Url;

use crate::build_error::BuildError;
use crate::password_bearer::Description;
use crate::remote::address;

/// The document of a protected resource (RFC 9728 §2). [`OAuth2PasswordBearer::resource_metadata`] makes it, and
/// [`path`](Self::path) says where to serve it: as JSON, to everybody, for GET.
///
/// [`OAuth2PasswordBearer::resource_metadata`]: crate::OAuth2PasswordBearer::resource_metadata
///
/// ```
/// use ficha_resource::ResourceMetadata;
///
/// let metadata = ResourceMetadata::new("https://api.example.com/notes", "https://auth.example.com");
/// assert_eq!(metadata.path(), "/.well-known/oauth-protected-resource/notes");
/// assert!(metadata.json().contains(r#""authorization_servers":["https://auth.example.com"]"#));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ResourceMetadata {
    /// The resource's identifier, as in [`BearerBuilder::resource`](crate::BearerBuilder::resource).
    pub resource: String,
    /// The issuers whose tokens are accepted.
    pub authorization_servers: Vec<String>,
    /// The scopes of the service, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// How a token may be sent (RFC 6750): in the header.
    pub bearer_methods_supported: Vec<String>,
}

impl ResourceMetadata {
    /// That of a resource whose tokens this issuer makes.
    pub fn new(resource: impl Into<String>, issuer: impl Into<String>) -> Self {
        Self {
            resource: resource.into(),
            authorization_servers: vec![issuer.into()],
            scopes_supported: Vec::new(),
            bearer_methods_supported: vec!["header".to_owned()],
        }
    }

    /// Its address, as in the challenges: the well-known part goes between the resource's host and path (RFC 9728 §3.1). Empty
    /// if the resource is no absolute URL.
    pub fn url(&self) -> String {
        metadata_url(&self.resource).unwrap_or_default()
    }

    /// The path of [`url`](Self::url), such as `/.well-known/oauth-protected-resource`.
    pub fn path(&self) -> String {
        Url::parse(&self.url()).map_or_else(|_| WELL_KNOWN.to_owned(), |url| url.path().to_owned())
    }

    /// The document.
    pub fn json(&self) -> String {
        // Texts are always JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// With what another issuer's says.
    pub(crate) fn joined(mut self, other: Self) -> Self {
        self.authorization_servers.extend(other.authorization_servers);
        let new = other.scopes_supported.into_iter().filter(|name| !self.scopes_supported.contains(name));
        let new: Vec<String> = new.collect();
        self.scopes_supported.extend(new);
        self
    }

    pub(crate) fn of(description: &Description) -> Option<Self> {
        let scopes_supported = description.scopes.iter().map(|(name, _)| name.clone()).collect();
        let resource = description.resource.as_deref()?;
        Some(Self { scopes_supported, ..Self::new(resource, &description.issuer) })
    }
}

/// How long it may be kept.
#[cfg(any(feature = "actix", feature = "axum"))]
pub(crate) const CACHED: &str = "public, max-age=3600";

/// Checks a resource's identifier (RFC 9728 §1.2). Nothing is repaired: the clients compare the text.
pub(crate) fn check(resource: &str, allow_plain_http: bool) -> Result<(), BuildError> {
    let what = "the resource";
    let url = address::parse(what, resource, allow_plain_http)?;
    if url.query().is_some() {
        return Err(BuildError::BadUrl { what, reason: "it contains a query" });
    }
    if url.as_str().trim_end_matches('/') != resource.trim_end_matches('/') {
        return Err(BuildError::BadUrl { what, reason: "it is not in its normal form (RFC 3986 section 6.2.2)" });
    }
    Ok(())
}

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The address of a resource's metadata. Only a slash right behind the host is left out.
pub(crate) fn metadata_url(resource: &str) -> Option<String> {
    let mut url = Url::parse(resource).ok()?;
    let path = if url.path() == "/" { "" } else { url.path() };
    url.set_path(&format!("{WELL_KNOWN}{path}"));
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_part_goes_between_host_and_path() {
        for (resource, path) in [
            ("https://notes.example.com", "/.well-known/oauth-protected-resource"),
            ("https://notes.example.com/", "/.well-known/oauth-protected-resource"),
            ("https://example.com:8443/notes", "/.well-known/oauth-protected-resource/notes"),
            ("https://example.com/notes/", "/.well-known/oauth-protected-resource/notes/"),
        ] {
            let metadata = ResourceMetadata::new(resource, "https://auth.example.com");
            assert_eq!(metadata.path(), path, "{resource}");
            assert!(metadata.url().ends_with(path) && metadata.url().starts_with("https://"), "{}", metadata.url());
        }
    }

    #[test]
    fn a_resource_that_clients_would_read_differently_is_refused() {
        assert!(check("https://notes.example.com", false).is_ok());
        assert!(check("http://127.0.0.1:8081/notes/", false).is_ok());
        for bad in [
            "notes",
            "https://NOTES.example.com",
            "https://notes.example.com:443",
            "https://notes.example.com/a/../b",
            "https://notes.example.com\n",
            "https://notes.example.com?x=1",
            "https://notes.example.com#x",
            "http://notes.example.com",
        ] {
            assert!(check(bad, false).is_err(), "{bad:?}");
        }
    }
}
