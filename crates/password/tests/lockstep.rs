//! Compares the lockstep core with the `bcrypt` crate: the results must be identical.

use ficha_password::lockstep::{Lanes, MAX_LANES};
use proptest::collection::vec;
use proptest::prelude::*;

/// A hash to compute, and how many turns the others are ahead when it joins.
#[derive(Clone, Debug)]
struct Job {
    key: Vec<u8>,
    salt: [u8; 16],
    cost: u32,
    late: u64,
}

impl Job {
    fn expected(&self) -> [u8; 23] {
        let digest = bcrypt::bcrypt(self.cost, self.salt, &self.key);
        digest[..23].try_into().expect("23 bytes")
    }
}

/// What bcrypt reads of a password: at most 72 bytes, including its terminating NUL.
fn key(password: &[u8]) -> Vec<u8> {
    password.iter().copied().chain([0]).take(72).collect()
}

fn any_job() -> impl Strategy<Value = Job> {
    (vec(any::<u8>(), 0..=72), any::<[u8; 16]>(), 4..=6_u32, 0..20_u64).prop_map(|(password, salt, cost, late)| Job {
        key: key(&password),
        salt,
        cost,
        late,
    })
}

/// Runs the jobs in at most `width` lanes, in slices of `slice` turns; each takes the next free lane.
fn run(jobs: &[Job], width: usize, slice: u64) -> Vec<Option<[u8; 23]>> {
    let mut made = vec![None; jobs.len()];
    let mut lanes = Lanes::new();
    let mut waiting = jobs.iter().enumerate().peekable();
    let mut turns = 0;
    while waiting.peek().is_some() || !lanes.is_empty() {
        while lanes.len() < width
            && let Some((index, job)) = waiting.next_if(|(_, job)| job.late <= turns || lanes.is_empty())
        {
            lanes.join(&job.key, &job.salt, 1 << job.cost, index).expect("a free lane");
            turns = 0;
        }
        turns += lanes.run(slice);
        while let Some((index, digest)) = lanes.take_finished() {
            made[index] = Some(digest);
        }
    }
    made
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn lockstep_equals_the_bcrypt_crate(jobs in vec(any_job(), 1..9), width in 1..=MAX_LANES, slice in 1..40_u64) {
        let expected: Vec<_> = jobs.iter().map(|job| Some(job.expected())).collect();
        prop_assert_eq!(run(&jobs, width, slice), expected);
    }
}

#[test]
fn every_length_in_every_number_of_lanes_equals_the_bcrypt_crate() {
    for width in 1..=MAX_LANES {
        let jobs: Vec<_> = (0..=72_u8)
            .map(|length| {
                // Successive lengths cover all byte values, including NUL.
                let password: Vec<u8> = (0..length).map(|i| i.wrapping_mul(7).wrapping_add(length)).collect();
                Job { key: key(&password), salt: [length.wrapping_mul(151); 16], cost: 4, late: 0 }
            })
            .collect();
        let expected: Vec<_> = jobs.iter().map(|job| Some(job.expected())).collect();
        assert_eq!(run(&jobs, width, 5), expected, "{width} lanes");
    }
}

#[test]
fn a_fifth_hash_finds_no_free_lane() {
    let mut lanes = Lanes::new();
    for tag in 0..MAX_LANES {
        lanes.join(b"a\0", &[1; 16], 16, tag).unwrap();
    }
    assert_eq!(lanes.join(b"a\0", &[1; 16], 16, 9), Err(9));
}

#[test]
fn removing_a_lane_does_not_affect_the_others() {
    let job = |byte| Job { key: key(&[byte; 9]), salt: [byte; 16], cost: 4, late: 0 };
    let mut lanes = Lanes::new();
    for byte in 1..=4 {
        let job = job(byte);
        lanes.join(&job.key, &job.salt, 16, byte).unwrap();
    }
    lanes.run(5);
    assert_eq!(lanes.take_where(|tag| *tag == 2), Some(2));
    while lanes.run(3) > 0 && lanes.take_finished().is_none_or(|(tag, digest)| digest == job(tag).expected()) {}
    while let Some((tag, digest)) = lanes.take_finished() {
        assert_eq!(digest, job(tag).expected(), "lane {tag}");
    }
    assert!(lanes.is_empty());
}

#[test]
fn nothing_runs_without_a_hash() {
    assert_eq!(Lanes::<()>::default().run(10), 0);
}
