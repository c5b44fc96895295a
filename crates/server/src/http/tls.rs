//! HTTPS with rustls: TLS 1.2 and 1.3, and certificates that are reloaded when their files change.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::digest;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use crate::ServerError;

/// How often the files are checked for changes.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// `server.tls.*`
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// A PEM file: the server's certificate, then the intermediate ones.
    pub certificate: PathBuf,
    /// A PEM file: the private key.
    pub key: PathBuf,
}

/// The SHA-256 of the certificate and of the key; `None` if the file can't be read. Not the times of the files: a
/// renewal may keep them, or they are too coarse.
type Content = [Option<[u8; 32]>; 2];

/// The certificate in use.
#[derive(Debug)]
pub struct Certificate {
    settings: TlsSettings,
    current: RwLock<Arc<CertifiedKey>>,
    /// What the files contained.
    content: RwLock<Content>,
}

impl TlsSettings {
    /// Reads the files; if that fails, the server does not start.
    pub fn load(&self) -> Result<Arc<Certificate>, ServerError> {
        // Before the files are read: if one changes in between, the next check reloads them.
        let content = self.content();
        Ok(Arc::new(Certificate {
            current: RwLock::new(Arc::new(self.read()?)),
            content: RwLock::new(content),
            settings: self.clone(),
        }))
    }

    fn read(&self) -> Result<CertifiedKey, ServerError> {
        let bad = |path: &Path, why: String| ServerError::Tls { path: path.to_owned(), why };
        let chain = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| bad(&self.certificate, error.to_string()))?;
        if chain.is_empty() {
            return Err(bad(&self.certificate, "it contains no certificate".into()));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| bad(&self.key, error.to_string()))?;
        CertifiedKey::from_der(chain, key, &default_provider()).map_err(|error| match error {
            rustls::Error::InvalidCertificate(_) => bad(&self.certificate, error.to_string()),
            error => bad(&self.key, format!("it does not match the certificate: {error}")),
        })
    }

    fn content(&self) -> Content {
        [&self.certificate, &self.key].map(|path| {
            let text = Zeroizing::new(fs::read(path).ok()?);
            digest::digest(&digest::SHA256, &text).as_ref().try_into().ok()
        })
    }
}

impl Certificate {
    /// The configuration for the HTTP server.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, ServerError> {
        let unusable =
            |error: rustls::Error| ServerError::Tls { path: self.settings.certificate.clone(), why: error.to_string() };
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(unusable)?;
        Ok(builder.with_no_client_auth().with_cert_resolver(self.clone()))
    }

    /// Reloads the files when they change. One may be written before the other: a pair that does not match is tried
    /// again at the next check, and the previous pair stays in use. It is logged once for each change.
    pub async fn watch(self: Arc<Self>) {
        let mut reported = None;
        loop {
            tokio::time::sleep(CHECK_EVERY).await;
            if let Some(error) = self.check(&mut reported) {
                tracing::warn!(%error, "the changed TLS files can't be used yet; keeping the previous certificate");
            }
        }
    }

    /// Loads the files if they have changed. Returns an error if they can't be used and were not `reported` already.
    fn check(&self, reported: &mut Option<Content>) -> Option<ServerError> {
        let content = self.settings.content();
        if *self.content.read().unwrap_or_else(PoisonError::into_inner) == content {
            return None;
        }
        match self.settings.read() {
            Ok(key) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
                *self.content.write().unwrap_or_else(PoisonError::into_inner) = content;
                *reported = None;
                tracing::info!("loaded a new TLS certificate");
                None
            }
            Err(error) => (reported.replace(content) != Some(content)).then_some(error),
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// Writes a file that keeps the time of the one before it.
    fn write(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
    }

    #[test]
    fn a_broken_pair_is_reported_once_for_each_change() {
        let folder = tempfile::tempdir().unwrap();
        let settings = TlsSettings { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        let ((first, first_key), (second, second_key)) = (pair(), pair());
        write(&settings.certificate, &first);
        write(&settings.key, &first_key);
        let certificate = settings.load().unwrap();
        let mut reported = None;
        let mut checks = || [(); 3].map(|()| certificate.check(&mut reported).is_some());
        assert_eq!(checks(), [false; 3]);
        write(&settings.certificate, &second);
        assert_eq!(checks(), [true, false, false], "it does not match the key");
        write(&settings.certificate, "nothing");
        assert_eq!(checks(), [true, false, false]);
        fs::remove_file(&settings.certificate).unwrap();
        assert_eq!(checks(), [true, false, false]);
        write(&settings.certificate, &second);
        write(&settings.key, &second_key);
        assert_eq!(checks(), [false; 3]);
        write(&settings.key, &first_key);
        assert_eq!(checks(), [true, false, false], "the next change is reported again");
    }
}
