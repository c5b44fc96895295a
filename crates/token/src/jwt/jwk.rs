//! A public key as JSON (RFC 7517).

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::crypto::algorithm::Algorithm;
use crate::crypto::key_error::KeyError;
use crate::jwt::base64url;

/// The longest `kid` that is accepted, in bytes.
pub const MAX_KID_BYTES: usize = 256;

/// A public key as a JSON Web Key. It has no member for a private or symmetric key, so neither can end up in a key set;
/// unknown members are ignored when it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Jwk {
    /// The key type: `EC`, `OKP` or `RSA`.
    pub kty: String,
    /// EC and OKP: the curve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    /// EC and OKP: the point's x, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// EC: the point's y, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// RSA: the modulus, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// RSA: the exponent, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    /// The id by which tokens name the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// The only algorithm of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// What the key is for: `sig`.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub key_use: Option<String>,
    /// The permitted operations (RFC 7517 §4.3). If present, it must contain `verify`. We publish `use` instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_ops: Option<Vec<String>>,
}

/// The public part of a key, in raw bytes.
pub(crate) enum PublicParts {
    /// An uncompressed point: 4, x, y.
    Point(Vec<u8>),
    /// The 32 bytes of an Ed25519 key.
    Ed25519(Vec<u8>),
    /// An RSA modulus and exponent, big-endian, without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

impl Jwk {
    /// The key with its thumbprint as `kid`.
    pub(crate) fn new(algorithm: Algorithm, parts: &PublicParts) -> Result<Self, KeyError> {
        let mut jwk = Self {
            kty: String::new(),
            crv: None,
            x: None,
            y: None,
            n: None,
            e: None,
            kid: None,
            alg: Some(algorithm.as_str().to_owned()),
            key_use: Some("sig".to_owned()),
            key_ops: None,
        };
        match parts {
            PublicParts::Point(point) => {
                let (_, xy) = point.split_first().ok_or(KeyError::Invalid(algorithm))?;
                let (x, y) = xy.split_at(xy.len() / 2);
                jwk.kty = "EC".to_owned();
                jwk.crv = Some(curve_name(algorithm)?.to_owned());
                jwk.x = Some(base64url::encode(x));
                jwk.y = Some(base64url::encode(y));
            }
            PublicParts::Ed25519(x) => {
                jwk.kty = "OKP".to_owned();
                jwk.crv = Some("Ed25519".to_owned());
                jwk.x = Some(base64url::encode(x));
            }
            PublicParts::Rsa { n, e } => {
                jwk.kty = "RSA".to_owned();
                jwk.n = Some(base64url::encode(n));
                jwk.e = Some(base64url::encode(e));
            }
        }
        jwk.kid = Some(jwk.thumbprint()?);
        Ok(jwk)
    }

    /// The RFC 7638 thumbprint: base64url of SHA-256 over the required members, in the order of their names.
    pub fn thumbprint(&self) -> Result<String, KeyError> {
        let text = |name, value: &Option<String>| {
            value.as_ref().map(|text| Value::String(text.clone()).to_string()).ok_or(KeyError::BadMember(name))
        };
        // Written by hand because the bytes are fixed by RFC 7638 §3.3: no space, and this order.
        let canonical = match self.kty.as_str() {
            "EC" => format!(
                r#"{{"crv":{},"kty":"EC","x":{},"y":{}}}"#,
                text("crv", &self.crv)?,
                text("x", &self.x)?,
                text("y", &self.y)?
            ),
            "OKP" => format!(r#"{{"crv":{},"kty":"OKP","x":{}}}"#, text("crv", &self.crv)?, text("x", &self.x)?),
            "RSA" => format!(r#"{{"e":{},"kty":"RSA","n":{}}}"#, text("e", &self.e)?, text("n", &self.n)?),
            _ => return Err(KeyError::UnsupportedType),
        };
        Ok(base64url::encode(digest::digest(&digest::SHA256, canonical.as_bytes())))
    }

    /// The only algorithm of this key. `alg` may be left out if the curve has only one.
    pub(crate) fn algorithm(&self) -> Result<Algorithm, KeyError> {
        let implied = match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", Some("P-256")) => Some(Algorithm::ES256),
            ("EC", Some("P-384")) => Some(Algorithm::ES384),
            ("EC", Some("P-521")) => Some(Algorithm::ES512),
            ("OKP", Some("Ed25519")) => Some(Algorithm::EdDSA),
            ("RSA", _) => None,
            _ => return Err(KeyError::UnsupportedType),
        };
        let named = self.alg.as_deref().map(|name| name.parse::<Algorithm>().map_err(|_| KeyError::BadAlgorithm));
        match (implied, named.transpose()?) {
            (Some(implied), None) => Ok(implied),
            (Some(implied), Some(named)) if implied == named => Ok(named),
            (None, Some(named)) if named.family() == crate::crypto::algorithm::Family::Rsa => Ok(named),
            _ => Err(KeyError::BadAlgorithm),
        }
    }

    /// The raw bytes of the key, each member canonical and of the length that the key type requires.
    pub(crate) fn parts(&self) -> Result<PublicParts, KeyError> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", Some("P-256")) => self.point(32),
            ("EC", Some("P-384")) => self.point(48),
            ("EC", Some("P-521")) => self.point(66),
            ("OKP", Some("Ed25519")) => Ok(PublicParts::Ed25519(fixed("x", &self.x, 32)?)),
            ("RSA", _) => Ok(PublicParts::Rsa { n: positive("n", &self.n)?, e: positive("e", &self.e)? }),
            _ => Err(KeyError::UnsupportedType),
        }
    }

    fn point(&self, length: usize) -> Result<PublicParts, KeyError> {
        let mut point = vec![4];
        point.extend(fixed("x", &self.x, length)?);
        point.extend(fixed("y", &self.y, length)?);
        Ok(PublicParts::Point(point))
    }
}

fn curve_name(algorithm: Algorithm) -> Result<&'static str, KeyError> {
    match algorithm {
        Algorithm::ES256 => Ok("P-256"),
        Algorithm::ES384 => Ok("P-384"),
        Algorithm::ES512 => Ok("P-521"),
        _ => Err(KeyError::WrongKind(algorithm)),
    }
}

fn member(name: &'static str, value: &Option<String>) -> Result<Vec<u8>, KeyError> {
    value.as_deref().and_then(base64url::decode).ok_or(KeyError::BadMember(name))
}

fn fixed(name: &'static str, value: &Option<String>, length: usize) -> Result<Vec<u8>, KeyError> {
    let bytes = member(name, value)?;
    if bytes.len() == length { Ok(bytes) } else { Err(KeyError::BadMember(name)) }
}

/// A Base64urlUInt (RFC 7518 §2): not empty, no leading zero.
fn positive(name: &'static str, value: &Option<String>) -> Result<Vec<u8>, KeyError> {
    let bytes = member(name, value)?;
    if bytes.first().is_some_and(|&first| first != 0) { Ok(bytes) } else { Err(KeyError::BadMember(name)) }
}
