//! The blocks that say so run as they stand on their pages.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Mutex;

use crate::markdown::{Check, Item, items, pages};
use crate::shell::{LACKS, is_as_shown, run};

/// How many pages run at once.
const AT_ONCE: usize = 2;

#[test]
fn the_blocks_of_every_page_run_as_shown() {
    // `DOCS_PAGE=automate.md` runs that page only.
    let wanted = std::env::var("DOCS_PAGE").unwrap_or_default();
    let queue: VecDeque<_> = pages().into_iter().filter(|page| page.ends_with(&wanted)).collect();
    assert!(!queue.is_empty(), "there is no page {wanted}");
    let queue = Mutex::new(queue);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(page) = queue.lock().unwrap().pop_front() else { return };
                    wrong.lock().unwrap().extend(check(&page));
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} blocks do not run:\n\n{}", wrong.len(), wrong.join("\n\n"));
}

/// Runs a page's blocks. Returns what is wrong.
fn check(page: &str) -> Vec<String> {
    let (mut parts, mut shown) = (Vec::new(), Vec::<(usize, String, String)>::new());
    let mut places = Vec::new();
    for item in items(page) {
        match item {
            Item::Before(shell) => {
                parts.push(shell);
                places.push(format!("{page}: hidden lines"));
            }
            Item::Block(block) => {
                let place = block.place();
                match &block.check {
                    Check::Run(replaced) if block.language == "console" => {
                        for (command, prints) in steps(&place, &replace(&block.text, replaced)) {
                            parts.push(command);
                            places.push(place.clone());
                            shown.push((parts.len() - 1, place.clone(), prints));
                        }
                    }
                    Check::Run(replaced) => {
                        parts.push(replace(&block.text, replaced));
                        places.push(place);
                    }
                    Check::Save(file) => {
                        let end = "END OF THE BLOCK";
                        parts.push(format!("cat > {file} <<'{end}'\n{}{end}", block.text));
                        places.push(place);
                    }
                    Check::Prints => shown.push((parts.len().saturating_sub(1), place, block.text)),
                    Check::Unsaid | Check::By(_) | Check::NotRun(_) => {}
                }
            }
        }
    }
    if parts.is_empty() {
        assert!(shown.is_empty(), "{page}: nothing runs whose output could be compared");
        return Vec::new();
    }
    let printed = match run(&parts) {
        Ok(printed) => printed,
        Err((_, output)) if output.contains(LACKS) => {
            // Directly to the stream: the test harness captures the output of passing tests.
            let _ = writeln!(std::io::stderr(), "{page} is not run: {output}");
            return Vec::new();
        }
        Err((part, output)) => {
            return vec![format!("{} fails:\n{}\n--- it printed\n{output}", places[part], parts[part])];
        }
    };
    let differs = |(part, place, shown): &(usize, String, String)| {
        let printed = &printed[*part];
        (!is_as_shown(shown, printed)).then(|| format!("{place} shows\n{shown}\n--- it printed\n{printed}"))
    };
    shown.iter().filter_map(differs).collect()
}

fn replace(text: &str, pairs: &[(String, String)]) -> String {
    pairs.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from.as_str()), "{from:?} is not in {text}");
        text.replace(from.as_str(), to)
    })
}

/// The commands of a `console` block, each after `$ `, with what each prints.
fn steps(place: &str, text: &str) -> Vec<(String, String)> {
    let mut steps: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push((command.to_owned(), String::new())),
            (None, Some((_, prints))) => prints.extend([line, "\n"]),
            (None, None) => panic!("{place}: the first line is not a command: {line}"),
        }
    }
    steps
}
