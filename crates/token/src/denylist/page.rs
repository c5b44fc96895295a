//! One response of the denylist feed, `GET /denylist`, for server and follower (docs/src/reference/denylist.md).

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::SerializeTuple as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::denylist::deny_id::DenyEntry;

/// A page of the denylist, and where to continue.
///
/// ```
/// let page: ficha_token::DenyPage = serde_json::from_str(
///     r#"{"cursor":"7.1f","nonce":"N","reset":false,"entries":[["0198c0de-0000-7000-8000-000000000001",1763800000]]}"#,
/// )?;
/// assert_eq!(page.entries[0].until, 1_763_800_000);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DenyPage {
    /// Where the next request continues: its `after`. Opaque.
    pub cursor: String,
    /// The request's `nonce`, repeated so that nothing in between can replay an older response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// True if the database does not know the request's cursor, so that this response and the pages after it contain
    /// everything that is denied. A follower adds the entries to what it has, and removes nothing.
    #[serde(default)]
    pub reset: bool,
    /// True if there is more now: ask again at once, with this cursor.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// What is denied, in the order in which it was committed.
    pub entries: Vec<DenyEntry>,
}

impl DenyPage {
    /// The last page of these entries, for a request without a nonce.
    pub fn new(cursor: impl Into<String>, entries: Vec<DenyEntry>) -> Self {
        Self { cursor: cursor.into(), nonce: None, reset: false, more: false, entries }
    }
}

/// As the feed writes it: `["0198…", 1763800000]`, the id in UUID form and `until` in Unix seconds.
impl Serialize for DenyEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut pair = serializer.serialize_tuple(2)?;
        pair.serialize_element(&self.id.to_uuid())?;
        pair.serialize_element(&self.until)?;
        pair.end()
    }
}

impl<'de> Deserialize<'de> for DenyEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pair;

        impl<'de> Visitor<'de> for Pair {
            type Value = DenyEntry;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an id in UUID form and a time in Unix seconds")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<DenyEntry, A::Error> {
                let id: Uuid = pair.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
                let until = pair.next_element()?.ok_or_else(|| A::Error::invalid_length(1, &self))?;
                // Later versions may add to an entry.
                while pair.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                Ok(DenyEntry { id: id.into(), until })
            }
        }

        deserializer.deserialize_seq(Pair)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_written_as_documented() {
        let id = Uuid::from_u128(0x0198_c0de_0000_7000_8000_0000_0000_0001);
        let page = DenyPage {
            cursor: "7.1f".into(),
            nonce: Some("N".into()),
            reset: false,
            more: false,
            entries: vec![DenyEntry { id: id.into(), until: 1_763_800_000 }],
        };
        let text = serde_json::to_string(&page).unwrap();
        assert_eq!(
            text,
            r#"{"cursor":"7.1f","nonce":"N","reset":false,"entries":[["0198c0de-0000-7000-8000-000000000001",1763800000]]}"#
        );
        assert_eq!(serde_json::from_str::<DenyPage>(&text).unwrap(), page);
    }

    #[test]
    fn an_invalid_entry_is_refused() {
        for entry in [
            r#"["x",1]"#,
            r#"["0198c0de-0000-7000-8000-000000000001"]"#,
            "[]",
            r#"["0198c0de-0000-7000-8000-000000000001","1"]"#,
        ] {
            let text = format!(r#"{{"cursor":"c","entries":[{entry}]}}"#);
            assert!(serde_json::from_str::<DenyPage>(&text).is_err(), "{entry}");
        }
    }
}
