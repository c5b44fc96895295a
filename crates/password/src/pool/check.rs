//! A check, as run by a lane.

use subtle::ConstantTimeEq;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::input;
use crate::stored::{BcryptHash, HashFormat};
use crate::{Cost, Password};

/// Starting and ending a second hash for the top-up takes about as long as one turn.
const RESTART: u64 = 1;

/// The input of bcrypt.
pub(super) struct Work {
    pub(super) key: Zeroizing<Vec<u8>>,
    pub(super) salt: [u8; 16],
    pub(super) turns: u64,
}

/// What to do with the result.
pub(super) struct Check {
    /// The stored hash, unless the check must fail.
    expected: Option<BcryptHash>,
    /// How many more turns a failure must take.
    top_up: u64,
    /// The largest number of lanes that were busy while it ran.
    pub(super) widest: usize,
    reply: oneshot::Sender<bool>,
}

/// The result of a check.
pub(super) struct Answer {
    matches: bool,
    /// See [`Check::widest`].
    pub(super) widest: usize,
    reply: oneshot::Sender<bool>,
}

impl Check {
    /// A check of `password` against `candidate`; with `None` it fails after as many turns as `floor` takes.
    pub(super) fn new(
        password: &Password,
        candidate: Option<BcryptHash>,
        floor: Cost,
        reply: oneshot::Sender<bool>,
    ) -> (Work, Self) {
        let known = candidate.is_some();
        let hash = candidate.unwrap_or_else(|| unknown_user(floor));
        let key = input::key(&hash, password.as_bytes());
        let turns = 1 << hash.cost;
        let work = Work { key: key.bytes, salt: hash.salt, turns };
        let top_up = floor.turns().saturating_sub(turns);
        let usable = known && key.whole && !password.is_too_long();
        (work, Self { expected: usable.then_some(hash), top_up, widest: 1, reply })
    }

    /// True if the caller no longer waits for the answer.
    pub(super) fn is_unwanted(&self) -> bool {
        self.reply.is_closed()
    }

    /// The answer, or the work that remains before a failure may be returned.
    pub(super) fn finish(mut self, digest: &[u8; 23]) -> Result<Answer, (Work, Self)> {
        let matches = self.expected.take().is_some_and(|hash| hash.digest.ct_eq(digest).into());
        let top_up = std::mem::take(&mut self.top_up);
        if !matches && top_up > 0 {
            let hash = unknown_user(Cost::MIN);
            let work = Work { key: Zeroizing::new(vec![0]), salt: hash.salt, turns: (top_up - RESTART).max(1) };
            return Err((work, self));
        }
        Ok(Answer { matches, widest: self.widest, reply: self.reply })
    }
}

impl Answer {
    pub(super) fn send(self) {
        // An error means that the caller has hung up.
        let _ = self.reply.send(self.matches);
    }
}

/// The hash used for a user that does not exist, in the format of new hashes, so that it takes the same code path.
fn unknown_user(floor: Cost) -> BcryptHash {
    BcryptHash { format: HashFormat::BcryptSha256V2, cost: floor.get(), salt: *b"no one has this.", digest: [0; 23] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored::{Scheme, StoredHash};

    /// The number of turns until the answer, and the answer. The digest is always `[1; 23]`.
    fn turns(password: &str, candidate: Option<&str>, floor: u32) -> (u64, bool) {
        let candidate = candidate.map(|text| match StoredHash::parse(text).expect("a hash").scheme {
            Scheme::Bcrypt(hash) => hash,
            Scheme::Argon2(_) => unreachable!("bcrypt only"),
        });
        let (reply, mut answer) = oneshot::channel();
        let (mut work, mut check) =
            Check::new(&Password::new(password), candidate, Cost::try_from(floor).expect("a cost"), reply);
        let mut turns = work.turns;
        loop {
            match check.finish(&[1; 23]) {
                Ok(answer) => {
                    answer.send();
                    break;
                }
                Err(more) => (work, check) = more,
            }
            turns += work.turns + RESTART;
        }
        (turns, answer.try_recv().expect("the answer was sent"))
    }

    #[test]
    fn every_failure_takes_the_turns_of_the_floor() {
        let (v2, plain, django) = (
            "$bcrypt-sha256$v=2,t=2b,r=4$xtGhyIlsUM.SQZcbp8Y3Ne$KdQ9D8pVolCTzqQ9bX3kZ/v1qqaNo.y",
            "$2a$05$ehITUWvc0c7M4h5WkY5GLO5/r.umGu5yaHaIzcRMFSSSfsPxZ64hS",
            "bcrypt_sha256$$2b$04$xEOM/XJp8ptXtdTlcLGFv.s8NzaYKbdt42WaJcAPMf3DBp3IglGCW",
        );
        let (long, too_long) = ("x".repeat(73), "x".repeat(257));
        for password in ["wrong", "", "nul\0inside", &long, &too_long] {
            for candidate in [None, Some(v2), Some(plain), Some(django)] {
                assert_eq!(turns(password, candidate, 10), (1 << 10, false), "{password} {candidate:?}");
            }
        }
    }

    #[test]
    fn a_failure_of_a_costlier_hash_is_neither_topped_up_nor_cut_short() {
        let costlier = "$2b$08$s.2BA/eSMdb2ueeNfURDYOdVyGc/JrdLBPZGNNLri05M9HwgRAX1a";
        for password in ["wrong", "nul\0inside", &"x".repeat(257)] {
            assert_eq!(turns(password, Some(costlier), 4), (1 << 8, false));
        }
    }

    #[test]
    fn a_match_is_not_topped_up() {
        let text = StoredHash::from_parts(4, [0; 16], [1; 23]).to_string();
        assert_eq!(turns("any", Some(&text), 10), (1 << 4, true));
    }
}
