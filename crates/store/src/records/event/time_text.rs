//! The times of events as text.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Unix milliseconds as RFC 3339, UTC, always with three digits of a second's fraction: as text they sort by time.
pub fn time_text(milliseconds: i64) -> String {
    let seconds = OffsetDateTime::from_unix_timestamp(milliseconds.div_euclid(1_000)).ok();
    match seconds.and_then(|time| time.format(&Rfc3339).ok()) {
        Some(text) => format!("{}.{:03}Z", text.trim_end_matches('Z'), milliseconds.rem_euclid(1_000)),
        None => milliseconds.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_has_the_same_length() {
        assert_eq!(time_text(1_800_000_000_000), "2027-01-15T08:00:00.000Z");
        assert_eq!(time_text(1_800_000_000_920), "2027-01-15T08:00:00.920Z");
        assert_eq!(time_text(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(time_text(i64::MAX), i64::MAX.to_string());
    }
}
