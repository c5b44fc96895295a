//! Every code block is checked by something, or says why it can't be run.

use crate::markdown::{Block, Check, blocks, repository};

/// Whose Rust blocks are compiled as documentation tests of their crates.
const COMPILED: [&str; 3] =
    ["crates/client/README.md", "crates/resource/README.md", "docs/src/how-to/obtain-tokens.md"];

/// Whose blocks the tests of `tutorial.rs` run.
const TUTORIALS: [&str; 2] = ["docs/src/tutorial.md", "docs/src/tutorial-notes.md"];

#[test]
fn every_code_block_is_checked_or_says_why_not() {
    let all = blocks();
    let unchecked: Vec<String> = all.iter().filter_map(problem).collect();
    assert!(unchecked.is_empty(), "{} blocks:\n{}", unchecked.len(), unchecked.join("\n"));
    let count = |wanted: fn(&Check) -> bool| all.iter().filter(|block| wanted(&block.check)).count();
    let run = count(|check| matches!(check, Check::Run(_) | Check::Prints | Check::Save(_)));
    let not = count(|check| matches!(check, Check::NotRun(_)));
    assert!(run > not, "of {} blocks, {run} run, and {not} do not", all.len());
}

fn problem(block: &Block) -> Option<String> {
    let place = block.place();
    match &block.check {
        Check::Run(_) if !matches!(block.language.as_str(), "sh" | "console") => Some(format!("{place}: not a shell")),
        Check::Run(_) | Check::Prints | Check::Save(_) => None,
        Check::NotRun(reason) => (reason.len() < 10).then(|| format!("{place}: {reason:?} is no reason")),
        Check::By(path) => {
            let test = std::fs::read_to_string(repository().join(path));
            let Ok(test) = test else { return Some(format!("{place}: there is no {path}")) };
            let name = block.page.rsplit('/').next().unwrap_or_default();
            (!test.contains(name)).then(|| format!("{place}: {path} does not name the page"))
        }
        Check::Unsaid => {
            let language = block.language.split(',').next().unwrap_or_default();
            let is_checked = match language {
                // `blocks.rs` checks all of these.
                "toml" | "json" => true,
                "rust" => COMPILED.contains(&block.page.as_str()),
                "console" => TUTORIALS.contains(&block.page.as_str()),
                _ => false,
            };
            (!is_checked).then(|| format!("{place}: {language}: say how it is checked"))
        }
    }
}
