//! Positions in the denylist and their text form, the cursors of the feed.

use std::fmt;
use std::str::FromStr;

use ficha_store::{DenyRow, Head};

/// A row's number and its random tag: together they identify one row of one history. Number 0 with tag 0 is the
/// position before the first row of every history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Cursor {
    pub(crate) number: i64,
    pub(crate) tag: i64,
}

impl From<Head> for Cursor {
    fn from(head: Head) -> Self {
        Self { number: head.number, tag: head.tag }
    }
}

impl From<&DenyRow> for Cursor {
    fn from(row: &DenyRow) -> Self {
        Self { number: row.number, tag: row.tag }
    }
}

/// The number, a dot, and the tag in hexadecimal. It is opaque to followers.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:x}", self.number, self.tag.cast_unsigned())
    }
}

/// Accepts exactly what `Display` writes.
impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (number, tag) = text.split_once('.').ok_or(())?;
        let tag = u64::from_str_radix(tag, 16).map_err(drop)?.cast_signed();
        let cursor = Self { number: number.parse().map_err(drop)?, tag };
        let known = cursor.number >= 0 && cursor.to_string() == text;
        if known { Ok(cursor) } else { Err(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for (number, tag) in [(0, 0), (7, 31), (i64::MAX, -1), (1, i64::MIN)] {
            let cursor = Cursor { number, tag };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        assert_eq!(Cursor { number: 7, tag: 31 }.to_string(), "7.1f");
    }

    #[test]
    fn a_text_in_another_format_is_not_a_cursor() {
        for text in
            ["", ".", "7", "7.", ".1", "07.1f", "7.01f", "7.1F", "+7.1f", "-7.1f", "7.1f ", "7.1f.", "7.x", "ü.1"]
        {
            assert_eq!(text.parse::<Cursor>(), Err(()), "{text:?}");
        }
        assert_eq!(format!("{}.0", u64::MAX).parse::<Cursor>(), Err(()));
        assert_eq!(format!("1.1{:x}", u64::MAX).parse::<Cursor>(), Err(()));
    }
}
