//! The newest rows of the denylist in memory: a follower that is nearly up to date costs no query.

use std::collections::VecDeque;

use ficha_store::DenyRow;

use crate::denylist::cursor::Cursor;

/// How many rows are kept. A row takes 48 bytes.
const MOST: usize = 10_000;

/// All rows that the database has after `base`, in the order of their numbers.
#[derive(Default)]
pub(crate) struct Recent {
    base: Option<Cursor>,
    rows: VecDeque<DenyRow>,
    /// How often it was cleared: this identifies what was built from another history.
    generation: u64,
}

impl Recent {
    /// The newest loaded row; `None` before the first read.
    pub(crate) fn newest(&self) -> Option<Cursor> {
        self.rows.back().map(Cursor::from).or(self.base)
    }

    /// Raised by [`Recent::restart`].
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The rows after `cursor`; `None` if that row is not kept.
    pub(crate) fn after(&self, cursor: Cursor) -> Option<impl ExactSizeIterator<Item = &DenyRow>> {
        let first = if self.base == Some(cursor) {
            0
        } else {
            let at = self.rows.binary_search_by_key(&cursor.number, |row| row.number).ok()?;
            if Cursor::from(&self.rows[at]) != cursor {
                return None;
            }
            at + 1
        };
        Some(self.rows.range(first..))
    }

    /// Adds the rows that follow the newest one.
    pub(crate) fn extend(&mut self, rows: &[DenyRow]) {
        self.rows.extend(rows);
        let over = self.rows.len().saturating_sub(MOST);
        if let Some(last) = self.rows.drain(..over).next_back() {
            self.base = Some(Cursor::from(&last));
        }
    }

    /// Forgets everything: the next read loads the whole list.
    pub(crate) fn forget(&mut self) {
        *self = Self { base: None, rows: VecDeque::new(), generation: self.generation + 1 };
    }

    /// Clears everything: the next rows follow `base`, perhaps in another history.
    pub(crate) fn restart(&mut self, base: Cursor) {
        *self = Self { base: Some(base), rows: VecDeque::new(), generation: self.generation + 1 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ficha_token::{DenyEntry, DenyId};

    fn row(number: i64) -> DenyRow {
        let entry = DenyEntry::new(DenyId::from((number as u128).to_be_bytes()), 1);
        DenyRow { number, tag: number * 10, entry }
    }

    fn at(number: i64) -> Cursor {
        Cursor { number, tag: number * 10 }
    }

    fn numbers(recent: &Recent, cursor: Cursor) -> Option<Vec<i64>> {
        recent.after(cursor).map(|rows| rows.map(|row| row.number).collect())
    }

    #[test]
    fn rows_after_a_known_cursor_are_found_despite_gaps_in_the_numbers() {
        let mut recent = Recent::default();
        assert_eq!(recent.newest(), None);
        recent.restart(at(4));
        assert_eq!((recent.newest(), numbers(&recent, at(4))), (Some(at(4)), Some(vec![])));
        recent.extend(&[row(5), row(7), row(8)]);
        assert_eq!(recent.newest(), Some(at(8)));
        assert_eq!(numbers(&recent, at(4)), Some(vec![5, 7, 8]));
        assert_eq!(numbers(&recent, at(7)), Some(vec![8]));
        assert_eq!(numbers(&recent, at(8)), Some(vec![]));
        for unknown in [at(3), at(6), at(9), Cursor { number: 7, tag: 7 }, Cursor { number: 4, tag: 4 }] {
            assert_eq!(numbers(&recent, unknown), None, "{unknown}");
        }
    }

    #[test]
    fn the_oldest_rows_are_dropped_when_there_are_too_many() {
        let mut recent = Recent::default();
        recent.restart(at(0));
        let rows: Vec<_> = (1..=MOST as i64 + 3).map(row).collect();
        recent.extend(&rows);
        assert_eq!(numbers(&recent, at(2)), None);
        assert_eq!(recent.after(at(3)).unwrap().len(), MOST);
        assert_eq!(recent.newest(), Some(at(MOST as i64 + 3)));
    }

    #[test]
    fn another_history_starts_over() {
        let mut recent = Recent::default();
        recent.restart(at(0));
        recent.extend(&[row(1)]);
        let before = recent.generation();
        recent.restart(at(9));
        assert_ne!(recent.generation(), before);
        assert_eq!(numbers(&recent, at(1)), None);
    }
}
