//! How calm the machine was: a fixed computation, timed before, between and after the measurements.
//!
//! Neighbours on a shared machine slow it down by up to two times, for seconds or for hours. The computation needs
//! nothing but the processor, so it takes longer exactly when they do.

use std::hint::black_box;
use std::time::Instant;

/// Some 50 ms on a core of 2.5 GHz.
const STEPS: u64 = 25_000_000;

/// A measurement counts as disturbed if the spin before it or after it took more than this many times the least.
pub const CALM: f64 = 1.15;

/// Runs the computation on every core at once. Returns how long the slowest core took, in milliseconds.
pub fn spin() -> f64 {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    std::thread::scope(|scope| {
        let spins: Vec<_> = (0..cores).map(|_| scope.spawn(on_one_core)).collect();
        spins.into_iter().filter_map(|spin| spin.join().ok()).fold(0.0, f64::max)
    })
}

fn on_one_core() -> f64 {
    let began = Instant::now();
    // Each step needs the result of the one before, so that it neither runs ahead nor is left out.
    let mut state = black_box(0x9e37_79b9_7f4a_7c15_u64);
    for _ in 0..STEPS {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    black_box(state);
    began.elapsed().as_secs_f64() * 1e3
}
