//! Links within the repository lead somewhere: to a file, and to a heading on it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use crate::markdown::{pages, repository};

#[test]
fn every_link_within_the_repository_leads_to_a_file_and_a_heading() {
    let mut headings = BTreeMap::new();
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for page in pages() {
        let text = std::fs::read_to_string(repository().join(&page)).unwrap();
        for target in targets(&without_code(&text)) {
            checked += 1;
            if let Err(problem) = check(&page, &target, &mut headings) {
                wrong.push(format!("{page}: {target}: {problem}"));
            }
        }
    }
    assert!(checked > 400, "only {checked} links were found");
    assert!(wrong.is_empty(), "{} links:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_page_of_the_book_is_in_its_contents_once() {
    let contents = std::fs::read_to_string(repository().join("docs/src/SUMMARY.md")).unwrap();
    let listed = targets(&contents);
    let distinct: BTreeSet<&String> = listed.iter().collect();
    assert_eq!(distinct.len(), listed.len(), "a page is listed twice");
    for page in pages().iter().filter_map(|page| page.strip_prefix("docs/src/")).filter(|page| *page != "SUMMARY.md") {
        assert!(listed.iter().any(|target| target == page), "{page} is not in SUMMARY.md");
    }
}

#[test]
fn every_first_question_has_an_answer_and_a_page() {
    let page = std::fs::read_to_string(repository().join("docs/src/start.md")).unwrap();
    let (_, questions) = page.split_once("## First questions\n").unwrap();
    let questions: Vec<&str> = questions.split("\n- **").skip(1).collect();
    assert!(questions.len() >= 20, "{}", questions.len());
    for question in questions {
        let (asked, answer) = question.split_once("?** ").unwrap_or_else(|| panic!("no question: {question}"));
        assert!(!targets(answer).is_empty() && answer.len() > 20, "{asked}");
    }
}

fn check(page: &str, target: &str, headings: &mut BTreeMap<PathBuf, BTreeSet<String>>) -> Result<(), String> {
    let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    let path = if file.is_empty() { PathBuf::from(page) } else { normal(&folder.join(file)) };
    let whole = repository().join(&path);
    if !whole.exists() {
        return Err("there is no such file".into());
    }
    if fragment.is_empty() || path.extension().is_none_or(|end| end != "md") {
        return Ok(());
    }
    let known = headings.entry(path).or_insert_with(|| slugs(&std::fs::read_to_string(whole).unwrap()));
    if known.contains(fragment) { Ok(()) } else { Err("there is no such heading".into()) }
}

fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut all, part| {
        match part {
            Component::ParentDir => drop(all.pop()),
            Component::CurDir => {}
            other => all.push(other),
        }
        all
    })
}

/// The addresses of headings, as mdbook and GitHub make them.
fn slugs(text: &str) -> BTreeSet<String> {
    let (mut all, mut counts) = (BTreeSet::new(), BTreeMap::<String, usize>::new());
    let text = without_code(text);
    for heading in text.lines().filter_map(|line| line.strip_prefix('#')) {
        let title = heading.trim_start_matches('#').trim();
        // `[words](address)` is shown as its words.
        let title = title.split("](").next().unwrap_or(title).replace('[', "");
        let kept = title
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .collect::<String>();
        let slug = kept.replace(' ', "-");
        let count = counts.entry(slug.clone()).or_default();
        all.insert(if *count == 0 { slug } else { format!("{slug}-{count}") });
        *count += 1;
    }
    all
}

/// The targets of links and images that are not on other hosts.
fn targets(text: &str) -> Vec<String> {
    let inline = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let named =
        text.lines().filter(|line| line.starts_with('[')).filter_map(|line| line.split_once("]: ").map(|(_, to)| to));
    let all = inline.chain(named).map(|target| target.split(' ').next().unwrap_or_default().to_owned());
    all.filter(|target| !target.contains("://") && !target.starts_with("mailto:") && !target.is_empty()).collect()
}

/// The text without code blocks and code in lines, where brackets are no links.
fn without_code(text: &str) -> String {
    let mut is_code = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            lines.push(line);
        }
    }
    lines.join("\n")
}
