//! `ficha health`: whether the server with these settings is ready, for a container's health check.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use serde_json::{Value, json};

use crate::config::Configuration;
use crate::error::CliError;
use crate::logging;
use crate::report::JsonArgument;

/// Health checks of containers usually give up after three seconds.
const LIMIT: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub struct Arguments {
    /// Ask only whether the process answers
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    json: JsonArgument,
}

/// Asks the server on this machine, over loopback.
pub async fn run(arguments: &Arguments, configuration: &Configuration) -> Result<(), CliError> {
    logging::warnings_only(&configuration.log);
    let server = &configuration.server;
    let (scheme, address) = (if server.tls.is_some() { "https" } else { "http" }, own_address(server.bind));
    let (path, is) = if arguments.live { ("/health/live", "live") } else { ("/health/ready", "ready") };
    let url = format!("{scheme}://{address}{path}");
    let answer =
        ask(&url).await.map_err(|error| CliError::NotHealthy(format!("{address} does not answer: {error}")))?;
    if answer.status().is_success() {
        return arguments.json.report().say(is, &json!({ "status": is }));
    }
    let status = answer.status();
    let body: Option<Value> = answer.json().await.ok();
    let why = body.as_ref().and_then(|body| body["status"].as_str()).unwrap_or("no reason was given");
    Err(CliError::NotHealthy(format!("{address} answers {}: {why}", status.as_u16())))
}

/// Where this machine reaches a server that listens on `bind`.
fn own_address(bind: SocketAddr) -> SocketAddr {
    let ip = match bind.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bind.port())
}

async fn ask(url: &str) -> Result<reqwest::Response, String> {
    let deepest = |error: reqwest::Error| {
        let mut source: &dyn std::error::Error = &error;
        while let Some(next) = source.source() {
            source = next;
        }
        source.to_string()
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Own(provider)))
        .with_no_client_auth();
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().timeout(LIMIT);
    client.build().map_err(deepest)?.get(url).send().await.map_err(deepest)
}

/// Accepts every certificate: the server's is for the name that clients use, and not for loopback. Nothing secret is sent,
/// and the answer only says whether the server is ready.
#[derive(Debug)]
struct Own(Arc<CryptoProvider>);

impl ServerCertVerifier for Own {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_for_all_interfaces_is_reached_over_loopback() {
        for (bind, own) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8443", "[::1]:8443"),
            ("192.0.2.1:80", "192.0.2.1:80"),
            ("127.0.0.2:80", "127.0.0.2:80"),
        ] {
            assert_eq!(own_address(bind.parse().unwrap()), own.parse().unwrap());
        }
    }
}
