//! The pages, and the code blocks on them.
//!
//! A comment right before a block says how it is checked. It is not shown on the page:
//!
//! | Comment | |
//! |---|---|
//! | `<!-- run -->` | The block runs in the page's shell, after the blocks before it, and must succeed. |
//! | `<!-- run: A => B; C => D -->` | The same, with B in place of A, and so on. |
//! | `<!-- save: FILE -->` | It becomes a file in the folder in which the page's blocks run. |
//! | `<!-- prints -->` | It is what the last block has printed. Times, ids and numbers may differ; `…` stands for any text. |
//! | `<!-- checked by PATH -->` | That test names the page, and reads or runs the block. |
//! | `<!-- not run: REASON -->` | It can't be run here. What can be checked without running it is checked. |
//! | `<!-- before ⏎ … ⏎ -->` | Lines of shell that run at this place: what the reader has done or has in place of them. |

use std::path::{Path, PathBuf};

/// A part of a page that matters here, in its order.
#[derive(Debug)]
pub enum Item {
    /// Hidden lines of shell.
    Before(String),
    /// A code block.
    Block(Block),
}

/// A code block.
#[derive(Debug)]
pub struct Block {
    /// The page, from the root of the repository.
    pub page: String,
    /// The line of the fence.
    pub line: usize,
    /// The first word after the fence.
    pub language: String,
    /// Without the indentation of the fence.
    pub text: String,
    /// How it is checked.
    pub check: Check,
}

/// How a block is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// No comment says so.
    Unsaid,
    /// It runs, with replacements.
    Run(Vec<(String, String)>),
    /// It is saved as a file.
    Save(String),
    /// It is the output of the block before it.
    Prints,
    /// By another test.
    By(String),
    /// Not at all, for this reason.
    NotRun(String),
}

impl Block {
    /// Where it is.
    pub fn place(&self) -> String {
        format!("{}:{}", self.page, self.line)
    }
}

/// Every page with code blocks: the book, and the README files.
pub fn pages() -> Vec<String> {
    let root = repository();
    let mut all = Vec::new();
    for folder in ["docs/src", "docs/src/how-to", "docs/src/reference", "docs/es/src", "."] {
        add_pages(&root, folder, &mut all);
    }
    for below in ["crates", "docs"] {
        for entry in std::fs::read_dir(root.join(below)).unwrap() {
            let folder = format!("{below}/{}", entry.unwrap().file_name().display());
            if root.join(&folder).join("README.md").is_file() {
                all.push(format!("{folder}/README.md"));
            }
        }
    }
    all.extend(["faults/README.md", "migrations/README.md"].map(str::to_owned));
    all.retain(|page| page != "CHANGELOG.md");
    all.sort();
    assert!(all.len() > 45, "{all:?}");
    all
}

fn add_pages(root: &Path, folder: &str, all: &mut Vec<String>) {
    if !root.join(folder).is_dir() {
        return;
    }
    for entry in std::fs::read_dir(root.join(folder)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            all.push(format!("{folder}/{name}").trim_start_matches("./").to_owned());
        }
    }
}

/// The blocks and hidden lines of a page.
pub fn items(page: &str) -> Vec<Item> {
    parse(page, &std::fs::read_to_string(repository().join(page)).unwrap())
}

fn parse(page: &str, text: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut lines = text.lines().enumerate();
    let mut check = Check::Unsaid;
    while let Some((number, line)) = lines.next() {
        let bare = line.trim_start();
        if let Some(comment) = bare.strip_prefix("<!--") {
            let mut comment = comment.to_owned();
            while !comment.contains("-->") {
                let (_, more) = lines.next().unwrap_or_else(|| panic!("{page}:{}: a comment has no end", number + 1));
                comment.push('\n');
                comment.push_str(more);
            }
            let comment = comment.split("-->").next().unwrap_or_default();
            match comment.trim_start().strip_prefix("before\n") {
                Some(shell) => items.push(Item::Before(shell.to_owned())),
                None => check = said(page, number + 1, comment.trim()),
            }
        } else if let Some(language) = bare.strip_prefix("```") {
            let indent = line.len() - bare.len();
            let mut text = String::new();
            for (_, line) in lines.by_ref().take_while(|(_, line)| line.trim() != "```") {
                text.push_str(line.get(indent..).unwrap_or_default());
                text.push('\n');
            }
            let check = std::mem::replace(&mut check, Check::Unsaid);
            let (page, language) = (page.to_owned(), language.trim().to_owned());
            items.push(Item::Block(Block { page, line: number + 1, language, text, check }));
        } else if !bare.is_empty() {
            // A comment is about the block right after it.
            check = Check::Unsaid;
        }
    }
    items
}

fn said(page: &str, line: usize, comment: &str) -> Check {
    let pairs = |text: &str| {
        let pair = |pair: &str| pair.split_once("=>").map(|(from, to)| (from.trim().to_owned(), to.trim().to_owned()));
        text.split(';').map(|text| pair(text).unwrap_or_else(|| panic!("{page}:{line}: {text:?}"))).collect()
    };
    match comment {
        "run" => Check::Run(Vec::new()),
        "prints" => Check::Prints,
        other => {
            if let Some(text) = other.strip_prefix("run:") {
                Check::Run(pairs(text))
            } else if let Some(file) = other.strip_prefix("save:") {
                Check::Save(file.trim().to_owned())
            } else if let Some(path) = other.strip_prefix("checked by ") {
                Check::By(path.trim().to_owned())
            } else if let Some(reason) = other.strip_prefix("not run:") {
                Check::NotRun(reason.trim().to_owned())
            } else {
                Check::Unsaid
            }
        }
    }
}

/// The code blocks of every page.
pub fn blocks() -> Vec<Block> {
    let all = pages().into_iter().flat_map(|page| items(&page));
    all.filter_map(|item| if let Item::Block(block) = item { Some(block) } else { None }).collect()
}

/// A page of the book.
pub fn page(name: &str) -> String {
    std::fs::read_to_string(repository().join("docs/src").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn a_comment_is_about_the_block_right_after_it() {
    let text = "<!-- run: a => b -->\n```sh\na\n```\n\n<!-- run -->\n\nText\n\n  ```sh\n  x\n   y\n  ```\n<!-- before\nc=1\n-->\n\n<!-- not run: why -->\n```text\n```\n";
    let items = parse("p", text);
    let shown: Vec<String> = items
        .iter()
        .map(|item| match item {
            Item::Before(shell) => format!("before {shell:?}"),
            Item::Block(block) => format!("{} {:?} {:?}", block.line, block.text, block.check),
        })
        .collect();
    let expected =
        ["2 \"a\\n\" Run([(\"a\", \"b\")])", "10 \"x\\n y\\n\" Unsaid", "before \"c=1\\n\"", "19 \"\" NotRun(\"why\")"];
    assert_eq!(shown, expected);
}
