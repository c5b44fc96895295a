//! Certificates for HTTPS, and clients that trust them.

use std::fs;
use std::path::PathBuf;

use ficha_server::TlsSettings;
use rustls::pki_types::CertificateDer;

use ficha_testing::Options;

/// A certificate for this machine and its key.
pub struct Certified {
    pub certificate: rcgen::Certificate,
    pub key: rcgen::KeyPair,
}

impl Certified {
    pub fn new() -> Self {
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate can be generated");
        Self { certificate: made.cert, key: made.signing_key }
    }

    pub fn der(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }

    /// An HTTP client that trusts this certificate and no other.
    pub fn client(&self) -> reqwest::Client {
        // The first test installs it; for later ones this fails, which is fine.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let root = reqwest::Certificate::from_der(self.certificate.der()).expect("a certificate");
        let client = reqwest::Client::builder().tls_certs_only([root]).no_proxy();
        client.redirect(reqwest::redirect::Policy::none()).build().expect("a client")
    }
}

/// The two files that a server reads.
pub struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    pub fn new(certified: &Certified) -> Self {
        let files = Self { folder: tempfile::tempdir().expect("a folder") };
        files.write_certificate(&certified.certificate.pem());
        files.write_key(&certified.key.serialize_pem());
        files
    }

    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("the-certificate.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.folder.path().join("the-key.pem")
    }

    pub fn write_certificate(&self, text: &str) {
        fs::write(self.certificate(), text).expect("the file can be written");
    }

    pub fn write_key(&self, text: &str) {
        fs::write(self.key(), text).expect("the file can be written");
    }

    pub fn settings(&self) -> TlsSettings {
        TlsSettings { certificate: self.certificate(), key: self.key() }
    }

    pub fn apply(&self, options: &mut Options) {
        options.server.tls = Some(self.settings());
    }
}
