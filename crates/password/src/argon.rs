//! Imported argon2id hashes.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::format_error::{HashFormatError, parse_number};

/// The most memory that one check may use, in KiB: a hash is input, and must not be able to exhaust the machine.
const MAX_MEMORY: u32 = 256 * 1024;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 16;

/// A parsed `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
#[derive(Clone)]
pub(crate) struct Argon2Hash {
    params: Params,
    salt: Vec<u8>,
    digest: Zeroizing<Vec<u8>>,
}

impl Argon2Hash {
    pub(crate) fn parse(text: &str) -> Result<Self, HashFormatError> {
        let rest = text.strip_prefix("$argon2id$v=19$").ok_or(HashFormatError::UnknownFormat)?;
        let mut parts = rest.split('$');
        let (Some(settings), Some(salt), Some(digest), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(HashFormatError::Shape);
        };
        let salt = decode(salt, 8..=64).ok_or(HashFormatError::Salt)?;
        let digest = decode(digest, 12..=64).map(Zeroizing::new).ok_or(HashFormatError::Digest)?;
        let params = parse_params(settings, digest.len()).ok_or(HashFormatError::Argon2Parameters)?;
        Ok(Self { params, salt, digest })
    }

    /// Blocks the calling thread for as long as the hash's own parameters require.
    pub(crate) fn verify(&self, password: &[u8]) -> bool {
        let mut made = Zeroizing::new(vec![0; self.digest.len()]);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone());
        // Parsing has checked every parameter; if one is refused anyway, the password does not match.
        let computed = argon2.hash_password_into(password, &self.salt, &mut made).is_ok();
        computed & bool::from(made.ct_eq(self.digest.as_slice()))
    }
}

fn parse_params(settings: &str, digest: usize) -> Option<Params> {
    let mut settings = settings.split(',');
    let memory = parse_number(settings.next()?.strip_prefix("m=")?).filter(|m| *m <= MAX_MEMORY)?;
    let passes = parse_number(settings.next()?.strip_prefix("t=")?).filter(|t| *t <= MAX_PASSES)?;
    let lanes = parse_number(settings.next()?.strip_prefix("p=")?).filter(|p| *p <= MAX_LANES)?;
    // `keyid` and `data` may follow; a hash that needs a key can't be checked.
    if settings.next().is_some() {
        return None;
    }
    Params::new(memory, passes, lanes, Some(digest)).ok()
}

fn decode(text: &str, length: std::ops::RangeInclusive<usize>) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text).ok().filter(|bytes| length.contains(&bytes.len()))
}
