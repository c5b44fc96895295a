//! The current hashing speed of this machine.

use std::time::{Duration, Instant};

use crate::Cost;
use crate::lockstep::{Lanes, MAX_LANES};

/// A new measurement has a weight of one in this many.
const SMOOTHING: f64 = 64.0;

/// Moving averages of the seconds that a turn of key expansion takes with 1, 2, 3 and 4 lanes.
pub(super) struct Speed {
    turn: [f64; MAX_LANES],
}

impl Speed {
    /// Times one cheap hash, about 2 ms, so that estimates are right before the first job. How much other busy lanes
    /// slow it down is an assumption until it has been measured.
    pub(super) fn measure() -> Self {
        let turns = Cost::MIN.turns() * 2;
        let mut lanes = Lanes::new();
        let watch = Watch::start();
        // The first lane of four is free.
        let _ = lanes.join(&[0], &[0; 16], turns, ());
        lanes.run(turns);
        let alone = watch.elapsed().as_secs_f64() / turns as f64;
        Self { turn: [1.0, 1.1, 1.45, 1.95].map(|slower| alone * slower) }
    }

    /// Records how long `turns` turns with `lanes` lanes took.
    pub(super) fn record(&mut self, lanes: usize, turns: u64, took: Duration) {
        if let Some(turn) = lanes.checked_sub(1).and_then(|index| self.turn.get_mut(index))
            && turns > 0
        {
            *turn += (took.as_secs_f64() / turns as f64 - *turn) / SMOOTHING;
        }
    }

    /// How many turns a single lane does in `took`.
    pub(super) fn turns_within(&self, took: Duration) -> u64 {
        (took.as_secs_f64() / self.turn[0]) as u64
    }

    /// How long a hash of this cost takes while `lanes - 1` others run, in seconds.
    pub(super) fn hash(&self, cost: Cost, lanes: usize) -> f64 {
        self.turn[lanes.clamp(1, MAX_LANES) - 1] * cost.turns() as f64
    }
}

/// The only code in this crate that reads a clock.
pub(super) struct Watch(Instant);

impl Watch {
    #[expect(clippy::disallowed_methods, reason = "speed can only be measured with the real clock")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
