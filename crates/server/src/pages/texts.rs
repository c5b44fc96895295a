//! The texts of the pages, from `i18n/`. A template names one as `fl!(self.frame.texts, "name")`; a name that is not there does not
//! compile.

use std::sync::LazyLock;

use fluent::FluentValue;
use i18n_embed::LanguageLoader;
use i18n_embed::fluent::{FluentLanguageLoader, fluent_language_loader};
use rust_embed::RustEmbed;

use super::language::Language;

/// The texts in one language.
pub type Texts = FluentLanguageLoader;

#[derive(RustEmbed)]
#[folder = "i18n"]
struct Files;

static LOADED: LazyLock<[(Language, Texts); 2]> = LazyLock::new(|| {
    let all = fluent_language_loader!();
    let tags = Language::ALL.map(|(language, _)| language.tag().parse());
    let tags: Vec<_> = tags.into_iter().filter_map(Result::ok).collect();
    if let Err(error) = all.load_languages(&Files, &tags) {
        tracing::error!(%error, "the texts of the pages can't be read");
    }
    // The marks that isolate what runs from right to left would be around numbers too, and be copied with them: names
    // alone are isolated (see `isolated`).
    all.set_use_isolating(false);
    all.with_bundles_mut(|bundle| {
        let is_spanish = bundle.locales.first().is_some_and(|tag| tag.language.as_str() == Language::Spanish.tag());
        bundle.set_formatter(Some(if is_spanish { spanish_number } else { english_number }));
    });
    Language::ALL.map(|(language, _)| {
        let chosen: Vec<_> = tags.iter().filter(|tag| tag.language.as_str() == language.tag()).collect();
        (language, all.select_languages(&chosen))
    })
});

fn english_number<M>(value: &FluentValue<'_>, _: &M) -> Option<String> {
    grouped(value, ",", 1_000)
}

/// With a space that does not break, from five digits on (Ortografía de la RAE).
fn spanish_number<M>(value: &FluentValue<'_>, _: &M) -> Option<String> {
    grouped(value, "\u{a0}", 10_000)
}

/// A whole number in groups of three digits, if it is that large.
fn grouped(value: &FluentValue<'_>, between: &str, from: i64) -> Option<String> {
    let FluentValue::Number(number) = value else { return None };
    let whole = number.value as i64;
    if (whole.unsigned_abs() as i64) < from {
        return Some(whole.to_string());
    }
    let digits = whole.unsigned_abs().to_string();
    let first = digits.len() % 3;
    let groups =
        std::iter::once(&digits[..first]).chain((first..digits.len()).step_by(3).map(|at| &digits[at..at + 3]));
    let groups: Vec<&str> = groups.filter(|group| !group.is_empty()).collect();
    Some(format!("{}{}", if whole < 0 { "-" } else { "" }, groups.join(between)))
}

/// A name within a sentence, isolated from its direction (UAX #9 §2.4.2).
pub fn isolated(name: &str) -> String {
    format!("\u{2068}{name}\u{2069}")
}

/// The texts in a language.
pub fn texts(language: Language) -> &'static Texts {
    let [(_, first), _] = &*LOADED;
    LOADED.iter().find(|(known, _)| *known == language).map_or(first, |(_, texts)| texts)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names(language: &str) -> BTreeSet<String> {
        let file = Files::get(&format!("{language}/ficha-server.ftl")).unwrap();
        let text = String::from_utf8(file.data.into_owned()).unwrap();
        let names = text.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()));
        names.filter_map(|line| line.split_once(" =")).map(|(name, _)| name.to_owned()).collect()
    }

    #[test]
    fn every_language_has_every_text() {
        let english = names("en");
        assert!(english.len() > 100);
        for (language, _) in Language::ALL {
            assert_eq!(names(language.tag()), english, "{language:?}");
        }
    }

    #[test]
    fn every_text_is_used() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut folders = vec![folder.join("src/pages"), folder.join("templates")];
        let mut used = String::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                match entry.path() {
                    path if path.is_dir() => folders.push(path),
                    path => used += &std::fs::read_to_string(path).unwrap(),
                }
            }
        }
        let unused: Vec<_> = names("en").into_iter().filter(|name| !used.contains(&format!("\"{name}\""))).collect();
        assert!(unused.is_empty(), "{unused:?}");
    }

    #[test]
    fn numbers_are_grouped_as_the_language_does() {
        let said = |language, count: u64| i18n_embed_fl::fl!(texts(language), "number", count = count);
        for (count, english, spanish) in [
            (0, "0", "0"),
            (999, "999", "999"),
            (1_000, "1,000", "1000"),
            (12_345, "12,345", "12\u{a0}345"),
            (1_000_000, "1,000,000", "1\u{a0}000\u{a0}000"),
        ] {
            assert_eq!(
                (said(Language::English, count), said(Language::Spanish, count)),
                (english.into(), spanish.into())
            );
        }
    }

    #[test]
    fn a_text_is_in_its_language_and_has_its_plural() {
        let said = |language, count: i64| i18n_embed_fl::fl!(texts(language), "minutes-ago", count = count);
        assert_eq!(
            (said(Language::English, 1), said(Language::English, 5)),
            ("1 minute ago".into(), "5 minutes ago".into())
        );
        assert_eq!(
            (said(Language::Spanish, 1), said(Language::Spanish, 5)),
            ("hace 1 minuto".into(), "hace 5 minutos".into())
        );
    }
}
