//! A plot: a line over time, as SVG that the server makes, and the same numbers as a table.

use std::fmt::Write;

/// The size of a plot, in its own units.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 120.0;

/// Numbers over time.
pub struct Plot {
    /// What is counted.
    pub title: String,
    /// All of them together.
    pub total: i64,
    /// The largest of one step.
    pub most: i64,
    /// The line, for the attribute `d` of a path.
    pub line: String,
    /// The same down to the axis.
    pub area: String,
    /// When each step begins, as text, and its number; the newest first.
    pub rows: Vec<(String, i64)>,
}

impl Plot {
    /// From the steps, the oldest first: when each begins, and its number.
    pub fn new(title: String, steps: Vec<(String, i64)>) -> Self {
        let most = steps.iter().map(|(_, count)| *count).max().unwrap_or_default();
        let line = line(&steps.iter().map(|(_, count)| *count).collect::<Vec<_>>(), most.max(1));
        let area = format!("{line}L{WIDTH} {HEIGHT}L0 {HEIGHT}Z");
        let total = steps.iter().map(|(_, count)| count).sum();
        Self { title, total, most, line, area, rows: steps.into_iter().rev().collect() }
    }
}

fn line(counts: &[i64], most: i64) -> String {
    let step = WIDTH / (counts.len().saturating_sub(1).max(1)) as f64;
    let mut path = String::new();
    for (index, count) in counts.iter().enumerate() {
        let (x, y) = (index as f64 * step, HEIGHT - (*count as f64 / most as f64) * (HEIGHT - 4.0));
        // A text can always be written to.
        let _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { "M" } else { "L" });
    }
    path
}

/// Numbers of each minute, added up in steps of so many minutes; a step at the beginning that is not whole is left out.
pub fn in_steps(minutes: &[(i64, i64)], length: usize) -> Vec<(i64, i64)> {
    let whole = &minutes[minutes.len() % length..];
    whole.chunks(length).map(|step| (step[0].0, step.iter().map(|(_, count)| count).sum())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_reaches_from_the_axis_to_the_top() {
        let plot = Plot::new("x".into(), vec![("a".into(), 0), ("b".into(), 4), ("c".into(), 2)]);
        assert_eq!(plot.line, "M0.0 120.0L300.0 4.0L600.0 62.0");
        assert_eq!((plot.total, plot.most), (6, 4));
        assert_eq!(plot.rows[0], ("c".into(), 2), "the newest first");
        assert_eq!(Plot::new("x".into(), Vec::new()).line, "");
    }

    #[test]
    fn minutes_are_added_up_in_whole_steps() {
        let minutes: Vec<(i64, i64)> = (0..7).map(|minute| (minute, 1)).collect();
        assert_eq!(in_steps(&minutes, 3), [(1, 3), (4, 3)]);
        assert_eq!(in_steps(&minutes, 1).len(), 7);
    }
}
