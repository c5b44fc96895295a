//! The filter of a list. The URL is its state: it has the parameters of the admin API's list.

use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};
use url::form_urlencoded::{Serializer, parse};

use crate::api::query::Parameters;

/// The fields that are times.
const TIMES: [&str; 6] = ["created_after", "created_before", "refreshed_after", "refreshed_before", "since", "until"];

/// The fields of the filter, as they were typed.
pub struct FilterFields(Vec<(String, String)>);

impl FilterFields {
    /// What a query has, without empty fields, which a form sends too.
    pub fn of(query: &str) -> Self {
        let pairs = parse(query.as_bytes()).into_owned().map(|(name, value)| (name, value.trim().to_owned()));
        Self(pairs.filter(|(_, value)| !value.is_empty()).collect())
    }

    /// One field.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// A time, as a browser's own field for it takes it: UTC, without a zone.
    pub fn time(&self, name: &str) -> String {
        let text = self.get(name);
        let parsed = OffsetDateTime::parse(text, &Rfc3339).ok().map(|time| time.to_offset(UtcOffset::UTC));
        let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
        parsed.and_then(|time| time.format(format).ok()).unwrap_or_else(|| text.to_owned())
    }

    /// True if nothing is filtered.
    pub fn is_empty(&self) -> bool {
        self.filters().next().is_none()
    }

    /// True if one of these fields, which are seldom used, is.
    pub fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| !self.get(name).is_empty())
    }

    /// Whether `value` is chosen in a list.
    pub fn chosen(&self, name: &str, value: &str) -> &'static str {
        if self.get(name) == value { "selected" } else { "" }
    }

    /// The filter as a query, without the page.
    pub fn query(&self) -> String {
        Serializer::new(String::new()).extend_pairs(self.filters()).finish()
    }

    /// The filter itself: names and values.
    pub fn filters(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        pairs.filter(|(name, _)| !matches!(*name, "after" | "before"))
    }

    /// The parameters of the list, as the API reads them.
    pub fn parameters(&self) -> Parameters {
        Parameters::of_pairs(self.0.iter().map(|(name, value)| {
            // What a browser's own field for a time sends has no zone: it is UTC here.
            let is_time = TIMES.contains(&name.as_str());
            let value = match (is_time, value.len()) {
                (true, 16) => format!("{value}:00Z"),
                (true, 19) => format!("{value}Z"),
                _ => value.clone(),
            };
            (name.clone(), value)
        }))
    }

    /// The neighbouring page of a list.
    pub fn page(&self, path: &str, name: &str, cursor: &str) -> String {
        let mut query = Serializer::new(self.query());
        query.append_pair(name, cursor);
        format!("{path}?{}", query.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_fields_are_left_out_and_times_are_utc() {
        let filter = FilterFields::of("user=+alice+&client=&created_after=2026-11-30T09%3A12&after=x");
        assert_eq!((filter.get("user"), filter.get("client")), ("alice", ""));
        assert_eq!(filter.query(), "user=alice&created_after=2026-11-30T09%3A12");
        let mut parameters = filter.parameters();
        let search = crate::api::sessions::search(&mut parameters);
        assert_eq!(search.created_after, Some(1_796_029_920));
        assert!(FilterFields::of("user=&after=x").is_empty());
        let api = FilterFields::of("created_after=2026-11-30T10%3A12%3A05%2B01%3A00");
        assert_eq!(api.time("created_after"), "2026-11-30T09:12:05");
        assert_eq!(filter.time("created_after"), "2026-11-30T09:12", "as it was typed");
    }
}
