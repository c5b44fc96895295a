//! The 16-byte ids by which tokens, sessions and keys are denied.

use std::fmt;

use aws_lc_rs::digest;
use uuid::Uuid;

/// How long after the latest `exp` under an id its denylist entry is kept, in seconds: the largest leeway that the
/// resource-server library allows (60 s), and as much again for clocks that disagree.
pub const DENY_MARGIN_SECONDS: i64 = 120;

/// The id of a denied token (`jti`), session (`sid`), or signing key.
///
/// Tokens are denied by id and never by their text: the text of a signed token can be changed without breaking its
/// signature (`n - s` of an ECDSA signature, for example).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DenyId([u8; 16]);

impl DenyId {
    /// The id under which a whole signing key is denied: the first 16 bytes of SHA-256 of its `kid`.
    pub fn of_key(kid: &str) -> Self {
        let digest = digest::digest(&digest::SHA256, kid.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest.as_ref()[..16]);
        Self(bytes)
    }

    /// The raw bytes, as stored.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The id in UUID form, as the denylist endpoint writes it.
    pub fn to_uuid(self) -> Uuid {
        Uuid::from_bytes(self.0)
    }
}

impl From<Uuid> for DenyId {
    fn from(id: Uuid) -> Self {
        Self(id.into_bytes())
    }
}

impl From<[u8; 16]> for DenyId {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for DenyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_uuid())
    }
}

/// One row of the denylist: until `until` (Unix seconds, exclusive) everything with `id` is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DenyEntry {
    /// What is refused.
    pub id: DenyId,
    /// Unix seconds: the latest `exp` under the id plus [`DENY_MARGIN_SECONDS`].
    pub until: i64,
}

impl DenyEntry {
    /// An entry that refuses `id` until `until`, in Unix seconds.
    pub fn new(id: impl Into<DenyId>, until: i64) -> Self {
        Self { id: id.into(), until }
    }
}
