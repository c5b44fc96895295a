//! Which TLS certificates are trusted.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use rustls_platform_verifier::Verifier;

use crate::error::Error;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Returns a builder of HTTP clients that trust the operating system's certificate authorities. TLS is rustls with
/// aws-lc-rs; no process-wide crypto provider is needed or installed.
///
/// [`TokenSource`](crate::TokenSource) uses such a client by default. Pass the builder with your changes to
/// [`TokenSourceBuilder::http_client`](crate::TokenSourceBuilder::http_client), or use it for your app's own requests. TLS is already
/// configured, so reqwest's own `tls_…` methods have no effect. To trust other authorities, use
/// [`http_client_trusting`].
///
/// # Errors
/// [`Error::Setting`] if TLS cannot be set up. If the system has no certificate authorities, this function succeeds,
/// but every TLS connection fails.
///
/// ```
/// use std::time::Duration;
///
/// let http = ficha_client::http_client()?.timeout(Duration::from_secs(10)).build();
/// assert!(http.is_ok());
/// # Ok::<(), ficha_client::Error>(())
/// ```
pub fn http_client() -> Result<reqwest::ClientBuilder, Error> {
    let config = verified_by(Verifier::new(provider())).or_else(|error| {
        // A minimal container without certificates can still use a server on loopback.
        tracing::warn!(%error, "cannot read the system's certificate authorities: TLS connections will fail");
        trusting(RootCertStore::empty())
    })?;
    Ok(client_with(config))
}

/// Like [`http_client`], but also trusts the given certificates: one or more in PEM, of authorities or of a server
/// itself. On Android, only these are trusted.
///
/// # Errors
/// [`Error::Setting`] if `pem` contains no certificate, or one that cannot be used.
///
/// ```no_run
/// let pem = std::fs::read("company-ca.pem")?;
/// let http = ficha_client::http_client_trusting(&pem)?.build()?;
/// # drop(http);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn http_client_trusting(pem: &[u8]) -> Result<reqwest::ClientBuilder, Error> {
    let mut roots = RootCertStore::empty();
    let mut certificates: Vec<CertificateDer<'static>> = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate =
            certificate.map_err(|error| Error::Setting(format!("cannot read the certificates: {error}")))?;
        roots.add(certificate.clone()).map_err(unusable)?;
        certificates.push(certificate);
    }
    if certificates.is_empty() {
        return Err(Error::Setting("the PEM text contains no certificate".into()));
    }
    #[cfg(not(target_os = "android"))]
    let config = verified_by(Verifier::new_with_extra_roots(certificates, provider()))?;
    #[cfg(target_os = "android")]
    let config = trusting(roots)?;
    Ok(client_with(config))
}

fn client_with(config: ClientConfig) -> reqwest::ClientBuilder {
    reqwest::Client::builder().tls_backend_preconfigured(config).connect_timeout(CONNECT_LIMIT)
}

fn verified_by(verifier: Result<Verifier, rustls::Error>) -> Result<ClientConfig, Error> {
    let verifier = Arc::new(verifier.map_err(unusable)?);
    Ok(base_config()?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, Error> {
    Ok(base_config()?.with_root_certificates(roots).with_no_client_auth())
}

fn base_config() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, Error> {
    ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(unusable)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn unusable(error: rustls::Error) -> Error {
    Error::Setting(format!("cannot set up TLS: {error}"))
}
