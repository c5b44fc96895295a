//! The pages in Spanish are kept in step with those in English: each names the text that it translates by a number over all of
//! it, and has the same code blocks and headings.

use crate::markdown::{Item, items, repository};

/// Spanish and English.
const PAGES: [(&str, &str); 5] = [
    ("README.es.md", "README.md"),
    ("docs/es/src/introduction.md", "docs/src/introduction.md"),
    ("docs/es/src/tutorial.md", "docs/src/tutorial.md"),
    ("docs/es/src/tutorial-notes.md", "docs/src/tutorial-notes.md"),
    ("docs/es/src/concepts.md", "docs/src/concepts.md"),
];

#[test]
fn the_pages_in_spanish_are_those_in_english() {
    for (spanish, english) in PAGES {
        let read =
            |path: &str| std::fs::read_to_string(repository().join(path)).unwrap_or_else(|_| panic!("no {path}"));
        let (translated, original) = (read(spanish), read(english));
        let mark = format!("<!-- translation of {english}, {:016x} -->", number(&original));
        let first = translated.lines().next().unwrap_or_default();
        assert_eq!(
            first, mark,
            "{english} has changed: translate the change in {spanish}, and give it this first line"
        );
        assert_eq!(blocks(spanish), blocks(english), "{spanish}: the code blocks differ");
        assert_eq!(headings(&translated), headings(&original), "{spanish}: the headings differ in their levels");
    }
}

/// FNV-1a, 64 bits: any change of the text changes it.
fn number(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |number, byte| (number ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Language and text of each block. Comments in a shell may be translated.
fn blocks(page: &str) -> Vec<(String, String)> {
    let block =
        |item: Item| if let Item::Block(block) = item { Some((block.language, commands(&block.text))) } else { None };
    items(page).into_iter().filter_map(block).collect()
}

fn commands(text: &str) -> String {
    text.lines()
        .map(|line| line.split("  # ").next().unwrap_or(line).split("   # ").next().unwrap_or(line).trim_end())
        .collect::<Vec<_>>()
        .join("\n")
}

fn headings(text: &str) -> Vec<usize> {
    let mut is_code = false;
    let mut levels = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        if !is_code && line.starts_with('#') {
            levels.push(line.bytes().take_while(|byte| *byte == b'#').count());
        }
    }
    levels
}
