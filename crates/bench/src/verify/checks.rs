//! Checking tokens in process: warm checks, cold checks, and the signature alone.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ficha_resource::Verifier;
use ficha_token::{DenySet, Jwk};

use super::Options;
use super::tokens::{Mint, deny_set, verifier};
use crate::Outcome;
use crate::result::{Rounds, Row, show};

/// How many ids are denied during the checks.
pub const DENIED: usize = 1_000_000;
/// Enough for 100,000 tokens.
const CACHE_BYTES: usize = 512 * 1024 * 1024;
/// How many checks a thread makes in a round.
const CHECKS: usize = 400_000;
/// How many tokens are checked cold in a round.
const COLD: usize = 4_000;
/// After this many tokens, cold checks and raw ones alternate: on a shared machine, other load then affects both.
const TURN: usize = 100;

/// Warm and cold, on one thread and on two.
pub fn run(options: &Options) -> Outcome<Vec<Row>> {
    let mint = Mint::new()?;
    let denied = Arc::new(deny_set(DENIED));
    let tokens = mint.tokens(100_000)?;
    let verifier = verifier(&mint.jwk()?, &denied, CACHE_BYTES)?;
    let bytes = tokens.first().map_or(0, String::len) as f64;
    let mut rows = vec![show(Row::number("Token, ES256", bytes, "bytes"))];
    warm_up(&verifier, &tokens)?;
    let few = &tokens[..1_000];
    let (mut seen_few, mut seen_many) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..options.rounds {
        for threads in [1, 2] {
            seen_few[threads - 1].push(warm(&verifier, few, threads)?);
            seen_many[threads - 1].push(warm(&verifier, &tokens, threads)?);
        }
    }
    let stats = verifier.stats();
    if stats.evictions > 0 || stats.entries != tokens.len() {
        return Err(format!("the cache did not hold every token: {stats:?}").into());
    }
    for (name, seen, limit) in [("1,000", seen_few, 0.5), ("100,000", seen_many, 1.5)] {
        for (threads, seen) in ["1 thread", "2 threads"].into_iter().zip(seen) {
            let seen = Rounds::of(seen);
            let row = Row::rounds(&format!("Warm check, {name} tokens in turn, {threads}"), &seen, "µs");
            rows.push(show(row.asked(&format!("at most {limit} µs"), seen.median <= limit)));
        }
    }
    rows.extend(cold_rows(options, &mint, &denied)?);
    Ok(rows)
}

/// Checks every token once, in a different order than later, so that consecutive tokens are not neighbours in memory.
fn warm_up(verifier: &Verifier, tokens: &[String]) -> Outcome<()> {
    // Coprime to the number of tokens, so that each comes once.
    const STRIDE: usize = 61_543;
    for index in 0..tokens.len() {
        verifier.verify_now(&tokens[index * STRIDE % tokens.len()])?;
    }
    Ok(())
}

/// The microseconds of one check, on `threads` threads.
fn warm(verifier: &Verifier, tokens: &[String], threads: usize) -> Outcome<f64> {
    let work = |start: usize| {
        let began = Instant::now();
        let mut good = 0;
        for token in tokens.iter().cycle().skip(start).take(CHECKS) {
            good += usize::from(black_box(verifier.verify_now(black_box(token))).is_ok());
        }
        (began.elapsed(), good)
    };
    let seen: Vec<_> = std::thread::scope(|scope| {
        let work = &work;
        // Each starts at a different token, so that they do not check the same one at once.
        let starts = (0..threads).map(|index| index * tokens.len() / threads);
        let threads: Vec<_> = starts.map(|start| scope.spawn(move || work(start))).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    if seen.len() != threads || seen.iter().any(|(_, good)| *good != CHECKS) {
        return Err("a valid token was refused".into());
    }
    let total: f64 = seen.iter().map(|(took, _)| took.as_secs_f64() * 1e6).sum();
    Ok(total / (threads * CHECKS) as f64)
}

/// Checks of new tokens, and of their signatures alone with the key parsed once.
fn cold_rows(options: &Options, mint: &Mint, denied: &Arc<DenySet>) -> Outcome<Vec<Row>> {
    let jwk = mint.jwk()?;
    let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point(&jwk)?)?;
    let (mut raw_seen, mut cold_seen, mut more_seen) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let tokens = mint.tokens(COLD)?;
        let verifier = verifier(&jwk, denied, CACHE_BYTES)?;
        let (raw, cold) = cold(&verifier, &key, &tokens)?;
        raw_seen.push(raw);
        cold_seen.push(cold);
        more_seen.push(cold - raw);
    }
    let more = Rounds::of(more_seen);
    let raw = show(Row::rounds("ES256 signature alone, aws-lc-rs, key parsed once", &Rounds::of(raw_seen), "µs"));
    let row = Row::rounds("Cold check, 1 thread", &Rounds::of(cold_seen), "µs")
        .with("more than the signature alone", more.median, "µs")
        .asked("at most the signature alone + 5 µs", more.median <= 5.0);
    Ok(vec![raw, show(row)])
}

/// The microseconds of a signature alone, and of a check. Each turn uses the same tokens for both.
fn cold(verifier: &Verifier, key: &ParsedPublicKey, tokens: &[String]) -> Outcome<(f64, f64)> {
    let (mut raw_turns, mut cold_turns) = (Vec::new(), Vec::new());
    for turn in tokens.chunks(TURN) {
        let parts: Vec<_> = turn.iter().map(|token| parts(token)).collect::<Outcome<_>>()?;
        let began = Instant::now();
        for (message, signature) in &parts {
            key.verify_sig(message.as_bytes(), signature)?;
        }
        raw_turns.push(began.elapsed().as_secs_f64() * 1e6 / turn.len() as f64);
        let began = Instant::now();
        for token in turn {
            black_box(verifier.verify_now(token)?);
        }
        cold_turns.push(began.elapsed().as_secs_f64() * 1e6 / turn.len() as f64);
    }
    Ok((Rounds::of(raw_turns).median, Rounds::of(cold_turns).median))
}

fn parts(token: &str) -> Outcome<(&str, Vec<u8>)> {
    let (message, signature) = token.rsplit_once('.').ok_or("a token has three parts")?;
    Ok((message, URL_SAFE_NO_PAD.decode(signature)?))
}

/// The uncompressed point of a P-256 key.
fn point(jwk: &Jwk) -> Outcome<Vec<u8>> {
    let mut point = vec![4];
    for half in [&jwk.x, &jwk.y] {
        point.extend(URL_SAFE_NO_PAD.decode(half.as_deref().ok_or("a key on a curve has x and y")?)?);
    }
    Ok(point)
}
