//! Random bytes, passed in like the time.

use uuid::Uuid;

use crate::clock::Clock;

/// A source of random bytes. An implementation must be good enough to generate keys.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `buffer` with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}

/// The operating system's generator, through aws-lc.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        // aws-lc aborts the process rather than hand out bytes that are not random, so this cannot fail in practice.
        aws_lc_rs::rand::fill(buffer).expect("the system's random generator answers");
    }
}

/// A random UUID (version 4), used for `jti`.
pub fn random_uuid(entropy: &dyn Entropy) -> Uuid {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// A UUID that sorts by its creation time (version 7), used for users, clients and sessions.
pub fn ordered_uuid(clock: &dyn Clock, entropy: &dyn Entropy) -> Uuid {
    let mut bytes = [0; 10];
    entropy.fill(&mut bytes);
    let milliseconds = clock.unix_millis().max(0);
    uuid::Builder::from_unix_timestamp_millis(milliseconds as u64, &bytes).into_uuid()
}
