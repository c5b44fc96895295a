//! Moments, as people read them: how long ago, with the exact time beside it.

use i18n_embed_fl::fl;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::texts::Texts;

/// A moment on a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// Such as "3 minutes ago".
    pub relative: String,
    /// Such as "2026-11-30 09:12:07 UTC".
    pub exact: String,
    /// RFC 3339, for programs.
    pub machine: String,
}

/// A moment, in Unix seconds, as seen at another.
pub fn when(texts: &Texts, now: i64, at: i64) -> When {
    let time = OffsetDateTime::from_unix_timestamp(at).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let exact = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    When {
        relative: relative(texts, at - now),
        exact: time.format(exact).unwrap_or_default(),
        machine: time.format(&Rfc3339).unwrap_or_default(),
    }
}

fn relative(texts: &Texts, ahead: i64) -> String {
    let away = ahead.abs();
    let (minutes, hours, days) = (away / 60, away / 3_600, away / 86_400);
    match (away, ahead > 0) {
        (0..60, true) => fl!(texts, "in-seconds", count = away),
        (0..60, false) => fl!(texts, "seconds-ago", count = away),
        (60..3_600, true) => fl!(texts, "in-minutes", count = minutes),
        (60..3_600, false) => fl!(texts, "minutes-ago", count = minutes),
        (3_600..172_800, true) => fl!(texts, "in-hours", count = hours),
        (3_600..172_800, false) => fl!(texts, "hours-ago", count = hours),
        (_, true) => fl!(texts, "in-days", count = days),
        (_, false) => fl!(texts, "days-ago", count = days),
    }
}

#[cfg(test)]
mod tests {
    use super::super::language::Language;
    use super::super::texts::texts;
    use super::*;

    #[test]
    fn a_moment_is_told_in_the_largest_unit_that_says_enough() {
        let english = texts(Language::English);
        for (at, expected) in [
            (1_000_000, "just now"),
            (999_995, "5 seconds ago"),
            (999_940, "1 minute ago"),
            (1_000_059, "in 59 seconds"),
            (1_000_900, "in 15 minutes"),
            (1_000_000 - 7_200, "2 hours ago"),
            (1_000_000 - 86_400, "24 hours ago"),
            (1_000_000 - 3 * 86_400, "3 days ago"),
            (1_000_000 + 90 * 86_400, "in 90 days"),
        ] {
            assert_eq!(when(english, 1_000_000, at).relative, expected);
        }
        let seen = when(english, 0, 1_700_000_000);
        assert_eq!((seen.exact.as_str(), seen.machine.as_str()), ("2023-11-14 22:13:20 UTC", "2023-11-14T22:13:20Z"));
    }
}
