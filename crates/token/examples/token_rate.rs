//! How long signing, verifying and looking up take, compared with aws-lc alone with the key parsed once.
//!
//! `cargo run --release -p ficha-token --example token_rate`
#![expect(clippy::disallowed_methods, reason = "this measures time")]
#![expect(clippy::unwrap_used, reason = "an example that fails should stop")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, ParsedPublicKey};
use ficha_token::{
    AccessClaims, Algorithm, DenyEntry, DenyId, DenySet, Expected, SigningKey, SystemEntropy, Unverified, random_uuid,
};

const NOW: i64 = 1_763_800_000;

fn main() {
    println!("{:8} {:>10} {:>10} {:>10} {:>10}   µs", "", "sign", "aws-lc", "verify", "aws-lc");
    for algorithm in [Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256, Algorithm::HS256] {
        tokens(algorithm);
    }
    denylist();
}

/// Microseconds per call, in the best of many runs: the others shared the machine with other programs.
fn micros(mut call: impl FnMut()) -> f64 {
    let mut run = |calls: u32| {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        start.elapsed()
    };
    let mut calls = 1;
    while run(calls) < Duration::from_millis(2) {
        calls *= 2;
    }
    let best = (0..150).map(|_| run(calls)).min().unwrap_or_default();
    best.as_secs_f64() * 1e6 / f64::from(calls)
}

fn claims() -> AccessClaims {
    let mut claims = AccessClaims::new(
        "https://auth.example.com",
        random_uuid(&SystemEntropy),
        ["notes"],
        "first-party",
        random_uuid(&SystemEntropy),
        random_uuid(&SystemEntropy),
        NOW..NOW + 600,
    );
    claims.scope = "notes:read notes:write".parse().unwrap();
    claims
}

fn tokens(algorithm: Algorithm) {
    let key = match algorithm {
        Algorithm::HS256 => SigningKey::from_secret(&[7; 32], "k".into()),
        _ => SigningKey::generate(algorithm),
    }
    .unwrap();
    let (claims, verifying) = (claims(), key.verifying_key());
    let token = key.sign(&claims).unwrap();
    let expected = Expected::new(claims.iss.clone(), claims.aud.clone(), [algorithm]);
    let sign = micros(|| drop(black_box(key.sign(&claims).unwrap())));
    let verify = micros(|| {
        let unverified = Unverified::parse(&token).unwrap();
        black_box(unverified.verify(&verifying, &expected, NOW).unwrap());
    });
    let (raw_sign, raw_verify) = raw(&key, token.rsplit_once('.').unwrap().0.as_bytes());
    println!(
        "{algorithm:8} {sign:10.2} {raw_sign:10.2} {verify:10.2} {raw_verify:10.2}",
        algorithm = algorithm.as_str()
    );
}

fn raw(key: &SigningKey, message: &[u8]) -> (f64, f64) {
    let der = key.to_pkcs8().unwrap_or_default();
    match key.algorithm() {
        Algorithm::ES256 => {
            let pair = EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, der).unwrap();
            let tag = pair.sign(&SystemRandom::new(), message).unwrap();
            let public = ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, pair.public_key()).unwrap();
            (
                micros(|| _ = black_box(pair.sign(&SystemRandom::new(), message))),
                micros(|| public.verify_sig(message, tag.as_ref()).unwrap()),
            )
        }
        Algorithm::EdDSA => {
            let pair = Ed25519KeyPair::from_pkcs8(der).unwrap();
            let tag = pair.sign(message);
            let public = ParsedPublicKey::new(&signature::ED25519, pair.public_key()).unwrap();
            (
                micros(|| _ = black_box(pair.try_sign(message))),
                micros(|| public.verify_sig(message, tag.as_ref()).unwrap()),
            )
        }
        Algorithm::RS256 => {
            let pair = RsaKeyPair::from_pkcs8(der).unwrap();
            let mut tag = vec![0; pair.public_modulus_len()];
            let sign = |tag: &mut [u8]| pair.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), message, tag);
            let signing = micros(|| sign(&mut tag).unwrap());
            let public = ParsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, pair.public_key()).unwrap();
            (signing, micros(|| public.verify_sig(message, &tag).unwrap()))
        }
        _ => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
            let tag = hmac::sign(&key, message);
            (
                micros(|| _ = black_box(hmac::sign(&key, message))),
                micros(|| hmac::verify(&key, message, tag.as_ref()).unwrap()),
            )
        }
    }
}

fn denylist() {
    println!(
        "\n{:>10} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "ids", "absent", "present", "insert", "worst", "MB", "RSS MB", "purge"
    );
    for count in [1_000, 100_000, 1_000_000, 10_000_000] {
        let before = resident();
        let set = DenySet::new();
        let ids: Vec<DenyId> = (0..count.min(1_000_000)).map(|_| random_uuid(&SystemEntropy).into()).collect();
        let (mut worst, mut total) = (Duration::ZERO, Duration::ZERO);
        for number in 0..count {
            let id = ids.get(number).copied().unwrap_or_else(|| random_uuid(&SystemEntropy).into());
            let until = NOW + 1 + (number % 700) as i64;
            let start = Instant::now();
            set.insert(DenyEntry::new(id, until));
            let took = start.elapsed();
            worst = worst.max(took);
            total += took;
        }
        let resident = resident().saturating_sub(before + ids.len() * 16);
        let (absent, present) = probes(&set, &ids);
        let megabytes = set.memory_bytes() as f64 / 1e6;
        let start = Instant::now();
        assert_eq!(set.purge(NOW + 350), count / 700 * 350 + (count % 700).min(350));
        let purge = start.elapsed();
        let insert = total / count as u32;
        println!(
            "{count:>10} {absent:>6.1} ns {present:>6.1} ns {insert:>9.0?} {worst:>9.1?} {megabytes:>9.1} {:>9.1} {purge:>9.1?}",
            resident as f64 / 1e6
        );
    }
}

/// Nanoseconds to look up an id that is not there, and one that is. A service has the id from a token that it just
/// read, so here it is computed on the spot or taken in order.
fn probes(set: &DenySet, ids: &[DenyId]) -> (f64, f64) {
    let mut state = 0x2545_F491_4F6C_DD1D_u128;
    let absent = micros(|| {
        state = state.wrapping_mul(0xDA94_2042_E4DD_58B5);
        black_box(set.contains(&DenyId::from(state.to_be_bytes()), NOW));
    });
    let mut next = 0;
    let present = micros(|| {
        next = if next + 1 == ids.len() { 0 } else { next + 1 };
        black_box(set.contains(&ids[next], NOW));
    });
    (absent * 1000.0, present * 1000.0)
}

/// Bytes in memory, if the system reports it.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}
