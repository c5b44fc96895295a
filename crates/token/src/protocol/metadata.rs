//! Authorization server metadata (RFC 8414 §2).

use serde::{Deserialize, Serialize};

/// The metadata document. Empty lists are left out: RFC 8414 §3.2 requires that for claims with zero elements, and so
/// `response_types_supported` is left out, since there is no authorization endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ServerMetadata {
    /// The issuer, exactly as in `iss`.
    pub issuer: String,
    /// The token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint: Option<String>,
    /// Where the public keys are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// Scopes that may be asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// Response types of the authorization endpoint: none here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response_types_supported: Vec<String>,
    /// Grant types. If absent, the default would be two that are not offered here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grant_types_supported: Vec<String>,
    /// How clients authenticate at the token endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// The revocation endpoint (RFC 7009).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation_endpoint: Option<String>,
    /// How clients authenticate there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revocation_endpoint_auth_methods_supported: Vec<String>,
    /// The introspection endpoint (RFC 7662).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection_endpoint: Option<String>,
    /// How clients authenticate there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub introspection_endpoint_auth_methods_supported: Vec<String>,
    /// The denylist feed. It is Ficha's own; RFC 8414 §2 allows additional members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denylist_endpoint: Option<String>,
    /// A page for developers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_documentation: Option<String>,
}

impl ServerMetadata {
    /// The metadata of an issuer that offers nothing yet.
    pub fn new(issuer: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a57_no_member_is_an_empty_array() {
        let metadata = ServerMetadata { issuer: "https://auth.example.com".into(), ..ServerMetadata::default() };
        let text = serde_json::to_string(&metadata).unwrap();
        assert_eq!(text, r#"{"issuer":"https://auth.example.com"}"#);
        assert_eq!(serde_json::from_str::<ServerMetadata>(&text).unwrap(), metadata);
    }
}
