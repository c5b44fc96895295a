//! The denylist in memory: adding one id, the memory of ten million, and reading a first list.

use std::time::{Duration, Instant};

use ficha_token::{DenyPage, DenySet};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::Options;
use super::checks::DENIED;
use super::tokens::{deny_set, entries};
use crate::Outcome;
use crate::measure::resident;
use crate::result::{Rounds, Row, show};

/// How many ids are added one by one in a round.
const ADDED: usize = 50_000;
/// How many entries a page has.
const PAGE: usize = 10_000;
/// How many ids the large list has.
const LARGE: usize = 10_000_000;

/// All three.
pub async fn run(options: &Options) -> Outcome<Vec<Row>> {
    let mut rows = vec![add_one(options), first_list(options)?];
    rows.push(memory().await?);
    Ok(rows)
}

/// One revocation at a time, on a list of a million.
fn add_one(options: &Options) -> Row {
    let (mut wall, mut busiest) = (Vec::new(), Duration::ZERO);
    for _ in 0..options.rounds {
        let set = deny_set(DENIED);
        for entry in entries(ADDED) {
            let began = Instant::now();
            set.insert(entry);
            wall.push(began.elapsed());
        }
        // Elapsed time includes other processes. Processor time does not, but reading it takes longer.
        for entry in entries(ADDED) {
            let began = thread_time();
            set.insert(entry);
            busiest = busiest.max(thread_time().saturating_sub(began));
        }
    }
    let row = Row::times("One revocation added to a list of 1,000,000", &mut wall);
    let longest = busiest.as_secs_f64() * 1e3;
    let within = row.times.is_some_and(|times| times.p99_ms < 1.0) && longest < 1.0;
    let row = row.with("most processor time of one", longest * 1e3, "µs");
    show(row.asked("under 1 ms: p99, and each one's processor time", within))
}

fn thread_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Parses pages of JSON and adds their entries.
fn first_list(options: &Options) -> Outcome<Row> {
    let pages: Vec<Vec<u8>> = entries(DENIED)
        .chunks(PAGE)
        .map(|chunk| {
            let mut page = DenyPage::new("1000000.0123456789abcdef", chunk.to_vec());
            (page.nonce, page.more) = (Some("0123456789abcdef".into()), true);
            serde_json::to_vec(&page)
        })
        .collect::<Result<_, _>>()?;
    let bytes: usize = pages.iter().map(Vec::len).sum();
    let mut seen = Vec::new();
    for _ in 0..options.rounds {
        let began = Instant::now();
        let set = DenySet::new();
        for page in &pages {
            let page: DenyPage = serde_json::from_slice(page)?;
            for entry in page.entries {
                set.insert(entry);
            }
        }
        seen.push(began.elapsed().as_secs_f64());
        if set.len() != DENIED {
            return Err("an entry was lost".into());
        }
    }
    let row = Row::rounds("A first list of 1,000,000, from JSON in memory", &Rounds::of(seen), "s");
    Ok(show(row.with("JSON", bytes as f64 / 1e6, "MB")))
}

/// What the child of [`memory`] prints.
#[derive(Serialize, Deserialize)]
struct Memory {
    resident: u64,
    counted: usize,
}

/// Ten million ids in a separate process, whose memory nothing else has used before.
async fn memory() -> Outcome<Row> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.arg("fill-denylist").arg(LARGE.to_string()).kill_on_drop(true).output().await?;
    let Memory { resident, counted } = serde_json::from_slice(&output.stdout)?;
    let (resident, counted) = (resident as f64 / 1e6, counted as f64 / 1e6);
    let row = Row::number("Memory of 10,000,000 denied ids", resident, "MB").with("by its own count", counted, "MB");
    Ok(show(row.asked("at most 250 MB", resident.max(counted) <= 250.0)))
}

/// The child's main.
pub fn fill(count: usize) -> Outcome<()> {
    let set = DenySet::new();
    // The buffers of one portion exist before and after, so they do not count.
    let mut portion = entries(PAGE);
    let before = resident(std::process::id())?;
    while set.len() < count {
        for entry in portion {
            set.insert(entry);
        }
        portion = entries(PAGE);
    }
    let resident = resident(std::process::id())?.saturating_sub(before);
    println!("{}", serde_json::to_string(&Memory { resident, counted: set.memory_bytes() })?);
    Ok(())
}
