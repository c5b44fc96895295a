//! The cryptography behind jsonwebtoken: aws-lc with each key parsed once.
//!
//! jsonwebtoken's own provider parses the key on every call, which adds half to the cost of an ES256 signature and more
//! than doubles that of RS256. Its factories are plain `fn` pointers, so a parsed key can only be found through
//! something global. Here that is a registry by *address*: a [`SigningKey`](crate::SigningKey) or
//! [`VerifyingKey`](crate::VerifyingKey) registers its parsed form under the address of the bytes that jsonwebtoken
//! will pass to the factory, and removes it before those bytes are freed. While an entry exists its bytes are alive, so
//! no other key can have that address. A look-up costs one access to a small table and no hashing of keys, and the
//! registry contains exactly the keys that are in use: no secret outlives its owner.
//!
//! Other keys are handled by [`aws_lc::DEFAULT_PROVIDER`]. If the program has installed another provider before, that
//! one is used, and everything works at its speed.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Once, PoisonError, RwLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, ParsedPublicKey, RsaEncoding, RsaKeyPair};
use aws_lc_rs::{error::Unspecified, hmac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, aws_lc};
use jsonwebtoken::errors::Result as JwtResult;
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm as JwtAlgorithm, DecodingKey, DecodingKeyKind, EncodingKey};

/// A key that signs, parsed. aws-lc wipes its memory when it frees it.
pub(crate) enum PrivateKey {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Hmac(Box<hmac::Key>),
}

/// A key that verifies, parsed.
pub(crate) enum PublicKey {
    Asymmetric(ParsedPublicKey),
    Hmac(Box<hmac::Key>),
}

impl PrivateKey {
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        match self {
            Self::Ecdsa(key) => key.sign(&SystemRandom::new(), message).map(|signature| signature.as_ref().to_vec()),
            Self::Ed25519(key) => key.try_sign(message).map(|signature| signature.as_ref().to_vec()),
            Self::Rsa(key, padding) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(*padding, &SystemRandom::new(), message, &mut signature)?;
                Ok(signature)
            }
            Self::Hmac(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
        }
    }
}

impl PublicKey {
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Unspecified> {
        match self {
            Self::Asymmetric(key) => key.verify_sig(message, signature),
            // Takes the same time wherever the tags differ.
            Self::Hmac(key) => hmac::verify(key, message, signature),
        }
    }
}

/// The provider that [`install`] makes jsonwebtoken's default.
static PROVIDER: LazyLock<CryptoProvider> = LazyLock::new(|| CryptoProvider {
    signer_factory,
    verifier_factory,
    key_utils: aws_lc::DEFAULT_PROVIDER.key_utils.clone(),
});

/// Makes jsonwebtoken use this provider in the whole process. Every key constructor of this crate calls it; calling it
/// again does nothing. A provider that is already installed stays.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that a provider is installed already. It works too, only slower.
        let _ = PROVIDER.install_default();
    });
}

/// Parsed keys by the address of their unparsed bytes.
struct Registry<K>(RwLock<HashMap<usize, Arc<Entry<K>>>>);

struct Entry<K> {
    algorithm: JwtAlgorithm,
    key: K,
}

static PRIVATE_KEYS: LazyLock<Registry<PrivateKey>> = LazyLock::new(Registry::new);
static PUBLIC_KEYS: LazyLock<Registry<PublicKey>> = LazyLock::new(Registry::new);

impl<K> Registry<K> {
    fn new() -> Self {
        Self(RwLock::new(HashMap::new()))
    }

    fn pin(&'static self, address: usize, algorithm: JwtAlgorithm, key: K) -> Pin<K> {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        keys.insert(address, Arc::new(Entry { algorithm, key }));
        Pin { registry: self, address }
    }

    fn find(&self, address: usize, algorithm: JwtAlgorithm) -> Option<Arc<Entry<K>>> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(&address).filter(|entry| entry.algorithm == algorithm).cloned()
    }
}

/// Keeps one parsed key in the registry. It must be dropped before the bytes at its address are freed.
pub(crate) struct Pin<K: 'static> {
    registry: &'static Registry<K>,
    address: usize,
}

impl<K> Drop for Pin<K> {
    fn drop(&mut self) {
        self.registry.0.write().unwrap_or_else(PoisonError::into_inner).remove(&self.address);
    }
}

/// Registers the parsed form of `key`. The pin must be dropped before `key`.
pub(crate) fn pin_private(key: &EncodingKey, algorithm: JwtAlgorithm, parsed: PrivateKey) -> Pin<PrivateKey> {
    install();
    PRIVATE_KEYS.pin(private_address(key), algorithm, parsed)
}

/// Registers the parsed form of `key`. The pin must be dropped before `key`.
pub(crate) fn pin_public(key: &DecodingKey, algorithm: JwtAlgorithm, parsed: PublicKey) -> Pin<PublicKey> {
    install();
    PUBLIC_KEYS.pin(public_address(key), algorithm, parsed)
}

/// The address of the key's bytes. No key of ours is empty, so two live keys never share an address.
pub(crate) fn private_address(key: &EncodingKey) -> usize {
    key.as_bytes().as_ptr().addr()
}

pub(crate) fn public_address(key: &DecodingKey) -> usize {
    match key.kind() {
        DecodingKeyKind::SecretOrDer(bytes) => bytes.as_ptr().addr(),
        DecodingKeyKind::RsaModulusExponent { n, .. } => n.as_ptr().addr(),
    }
}

struct PinnedSigner(Arc<Entry<PrivateKey>>);

impl Signer<Vec<u8>> for PinnedSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        self.0.key.sign(message).map_err(|_| SignatureError::new())
    }
}

impl JwtSigner for PinnedSigner {
    fn algorithm(&self) -> JwtAlgorithm {
        self.0.algorithm
    }
}

struct PinnedVerifier(Arc<Entry<PublicKey>>);

impl Verifier<Vec<u8>> for PinnedVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        self.0.key.verify(message, signature).map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for PinnedVerifier {
    fn algorithm(&self) -> JwtAlgorithm {
        self.0.algorithm
    }
}

fn signer_factory(algorithm: &JwtAlgorithm, key: &EncodingKey) -> JwtResult<Box<dyn JwtSigner>> {
    match PRIVATE_KEYS.find(private_address(key), *algorithm) {
        Some(entry) => Ok(Box::new(PinnedSigner(entry))),
        None => (aws_lc::DEFAULT_PROVIDER.signer_factory)(algorithm, key),
    }
}

fn verifier_factory(algorithm: &JwtAlgorithm, key: &DecodingKey) -> JwtResult<Box<dyn JwtVerifier>> {
    match PUBLIC_KEYS.find(public_address(key), *algorithm) {
        Some(entry) => Ok(Box::new(PinnedVerifier(entry))),
        None => (aws_lc::DEFAULT_PROVIDER.verifier_factory)(algorithm, key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Algorithm, SigningKey};

    #[test]
    fn a_key_leaves_the_registry_with_its_owner() {
        let key = SigningKey::generate(Algorithm::ES256).unwrap();
        let (private, public) = key.addresses().unwrap();
        assert!(PRIVATE_KEYS.find(private, JwtAlgorithm::ES384).is_none(), "found for its own algorithm only");
        let private = Arc::downgrade(&PRIVATE_KEYS.find(private, JwtAlgorithm::ES256).unwrap());
        let public = Arc::downgrade(&PUBLIC_KEYS.find(public, JwtAlgorithm::ES256).unwrap());
        drop(key);
        assert!(private.upgrade().is_none());
        assert!(public.upgrade().is_none());
    }

    #[test]
    fn a_key_from_elsewhere_is_served_by_the_default_provider() {
        install();
        let secret = [7; 32];
        let tag = jsonwebtoken::crypto::sign(b"m", &EncodingKey::from_secret(&secret), JwtAlgorithm::HS256).unwrap();
        let key = DecodingKey::from_secret(&secret);
        assert!(jsonwebtoken::crypto::verify(&tag, b"m", &key, JwtAlgorithm::HS256).unwrap());
        assert!(!jsonwebtoken::crypto::verify(&tag, b"n", &key, JwtAlgorithm::HS256).unwrap());
    }
}
