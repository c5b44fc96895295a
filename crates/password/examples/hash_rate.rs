//! Hashes per second at cost 10, on one core and on all: the `bcrypt` crate, our lockstep with 1 to 4 lanes, and the
//! hashing threads as a server runs them, always with enough callers.
//!
//! `cargo run --release -p ficha-password --example hash_rate [seconds per line]`

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use ficha_password::lockstep::{Lanes, MAX_LANES};
use ficha_password::{Cost, Hashing, HashingSettings, Password};

const COST: u32 = 10;
const KEY: &[u8] = b"correct horse battery staple\0";
const SALT: [u8; 16] = *b"sixteen bytes...";

/// The candidates take turns, and the best round of each counts, so that other work on the machine matters less.
const ROUNDS: u32 = 5;

fn main() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(2.0);
    let round = Duration::from_secs_f64(seconds) / ROUNDS;
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let mut threads = vec![1, cores];
    threads.dedup();
    for threads in threads {
        let mut best = [0.0_f64; MAX_LANES + 2];
        for _ in 0..ROUNDS {
            for (lanes, best) in best.iter_mut().enumerate() {
                *best = best.max(match lanes {
                    0 => rate(threads, round, &crate_for),
                    1..=MAX_LANES => rate(threads, round, &|time| lockstep_for(lanes, time)),
                    _ => pool_for(threads, round),
                });
            }
        }
        for (lanes, rate) in best.iter().enumerate() {
            let name = match lanes {
                0 => "bcrypt crate".to_owned(),
                1..=MAX_LANES => format!("lockstep of {lanes}"),
                _ => "hashing threads".to_owned(),
            };
            println!("{threads} thread(s)  {name:15}  {rate:6.2}/s  {:.2} x", rate / best[0]);
        }
    }
}

/// Runs `work` on each thread and returns the sum of the hashes per second.
fn rate(threads: usize, time: Duration, work: &(dyn Fn(Duration) -> f64 + Sync)) -> f64 {
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(|| work(time))).collect();
        running.into_iter().map(|thread| thread.join().expect("the work does not panic")).sum()
    })
}

fn crate_for(time: Duration) -> f64 {
    let start = now();
    let mut hashes = 0;
    while start.elapsed() < time {
        black_box(bcrypt::bcrypt(COST, SALT, black_box(KEY)));
        hashes += 1;
    }
    f64::from(hashes) / start.elapsed().as_secs_f64()
}

/// All lanes start and end together, so that each batch is `lanes` whole hashes.
fn lockstep_for(lanes: usize, time: Duration) -> f64 {
    let mut running = Lanes::new();
    let start = now();
    let mut hashes = 0;
    while start.elapsed() < time {
        for _ in 0..lanes {
            running.join(black_box(KEY), &SALT, 1 << COST, ()).expect("a lane is free");
        }
        while running.run(8) > 0 {
            while let Some(done) = running.take_finished() {
                black_box(done);
                hashes += 1;
            }
        }
    }
    f64::from(hashes) / start.elapsed().as_secs_f64()
}

/// Twice as many callers as lanes, so that no lane is ever free.
fn pool_for(threads: usize, time: Duration) -> f64 {
    let settings = HashingSettings { threads, max_queue: 1000, max_per_source: 1000, ..HashingSettings::default() };
    let hashing = Hashing::start(settings).expect("the threads start");
    let cost = Cost::try_from(COST).expect("a cost");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let start = now();
        let mut callers = Vec::new();
        for _ in 0..2 * threads * MAX_LANES {
            let hashing = hashing.clone();
            callers.push(tokio::spawn(async move {
                while start.elapsed() < time {
                    hashing.verify(1, Password::new("a"), None, cost).await.expect("the queue has room");
                }
            }));
        }
        for caller in callers {
            caller.await.expect("a caller does not panic");
        }
        hashing.stats().completed as f64 / start.elapsed().as_secs_f64()
    })
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the real clock")]
fn now() -> Instant {
    Instant::now()
}
