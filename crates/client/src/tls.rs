//! Who is trusted over TLS.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use rustls_platform_verifier::Verifier;

use crate::error::Error;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A builder of HTTP clients with the operating system's certificate authorities, on rustls with aws-lc-rs. No
/// process-wide provider is needed or installed.
///
/// It is what [`TokenSource`](crate::TokenSource) uses itself, what
/// [`Builder::http_client`](crate::Builder::http_client) takes with your changes, and what an app may use for its own
/// requests. Its TLS is set up already: reqwest's own `tls_…` methods change nothing any more. For other authorities
/// there is [`http_client_trusting`].
///
/// # Errors
/// [`Error::Setting`] if TLS can't be set up at all. Where the system has no certificate authorities, this succeeds,
/// and every connection over TLS fails.
pub fn http_client() -> Result<reqwest::ClientBuilder, Error> {
    let config = checked_by(Verifier::new(provider())).or_else(|error| {
        // A small container without certificates still talks to a server on this machine.
        tracing::warn!(%error, "the system's certificate authorities can't be read: no server is trusted over TLS");
        trusting(RootCertStore::empty())
    })?;
    Ok(with(config))
}

/// As [`http_client`], and it trusts these certificates too: one or more in PEM, of authorities or of a server itself.
/// On Android it trusts these alone.
///
/// # Errors
/// [`Error::Setting`] if there is no certificate in `pem`, or one that can't be used.
pub fn http_client_trusting(pem: &[u8]) -> Result<reqwest::ClientBuilder, Error> {
    let mut roots = RootCertStore::empty();
    let mut certificates: Vec<CertificateDer<'static>> = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate =
            certificate.map_err(|error| Error::Setting(format!("the certificates can't be read: {error}")))?;
        roots.add(certificate.clone()).map_err(unusable)?;
        certificates.push(certificate);
    }
    if certificates.is_empty() {
        return Err(Error::Setting("there is no certificate in what should be PEM".into()));
    }
    #[cfg(not(target_os = "android"))]
    let config = checked_by(Verifier::new_with_extra_roots(certificates, provider()))?;
    #[cfg(target_os = "android")]
    let config = trusting(roots)?;
    Ok(with(config))
}

fn with(config: ClientConfig) -> reqwest::ClientBuilder {
    reqwest::Client::builder().tls_backend_preconfigured(config).connect_timeout(CONNECT_LIMIT)
}

fn checked_by(verifier: Result<Verifier, rustls::Error>) -> Result<ClientConfig, Error> {
    let verifier = Arc::new(verifier.map_err(unusable)?);
    Ok(begun()?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, Error> {
    Ok(begun()?.with_root_certificates(roots).with_no_client_auth())
}

fn begun() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, Error> {
    ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(unusable)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn unusable(error: rustls::Error) -> Error {
    Error::Setting(format!("TLS can't be set up: {error}"))
}
