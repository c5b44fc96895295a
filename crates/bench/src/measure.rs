//! Figures of the operating system about a process and the machine.

use std::time::Duration;

use crate::Outcome;

/// The time that a scenario took.
#[derive(Clone, Copy)]
pub struct Usage {
    /// Elapsed time.
    pub wall: Duration,
    /// The server's processor time.
    pub cpu: Duration,
}

/// The processor time of a process so far, user and system (proc(5), fields 14 and 15 of `stat`).
pub fn cpu_time(id: u32) -> Outcome<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    let after_name = stat.rsplit(')').next().ok_or("stat has a name")?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: u64 = fields.get(11).ok_or("utime")?.parse::<u64>()? + fields.get(12).ok_or("stime")?.parse::<u64>()?;
    // A tick is 10 ms on every Linux that this runs on (USER_HZ is 100).
    Ok(Duration::from_millis(ticks * 10))
}

/// The resident memory of a process, in bytes.
pub fn resident(id: u32) -> Outcome<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1024)
}

/// A description of this machine.
pub fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap_or_default();
    let gigabytes = kilobytes.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap_or(0) / (1024 * 1024);
    format!("{cores} cores, {}, {gigabytes} GiB", model.trim_start_matches([' ', '\t', ':']))
}

/// The current commit, marked if the working tree differs from it.
pub fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = std::process::Command::new("git").args(arguments).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let head = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_default();
    let dirty = git(&["status", "--porcelain", "--", "crates", "migrations", "Cargo.lock"]).unwrap_or_default();
    if dirty.is_empty() { head } else { format!("{head}+changes") }
}
