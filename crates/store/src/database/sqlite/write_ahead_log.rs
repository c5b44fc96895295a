//! Checks a write-ahead log before SQLite opens it: <https://sqlite.org/fileformat2.html#the_write_ahead_log>.
//!
//! SQLite reads a log up to the first frame whose checksum is wrong and silently drops the rest. After a power cut that
//! is normal: the last transaction was torn and never acknowledged. But if *another* whole transaction follows, the
//! damaged one was on the disk before it and was acknowledged, and must not be dropped silently.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;

/// Bytes before the first frame, and before each frame's page.
const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// Bytes of the index up to and including the number of frames that are in the database.
const INDEX_HEADER: usize = 100;

/// The state of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// There is no log, or it is empty.
    Empty,
    /// All of it can be read, except perhaps a transaction at its end that was never acknowledged.
    Whole,
    /// Transactions follow damage.
    Damaged {
        /// At least this many. The last of them may never have been acknowledged.
        transactions: usize,
    },
}

/// Reads the log at `path`. If it has an index that belongs to it, the index says how much of the log was acknowledged:
/// failed commits may follow.
pub(crate) fn read(path: &Path, index: &Path) -> io::Result<Log> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Log::Empty),
        Err(error) => return Err(error),
    };
    judge(&mut BufReader::with_capacity(1 << 18, file), read_index(index)?)
}

fn judge(log: &mut impl Read, index: Option<Index>) -> io::Result<Log> {
    let mut header = [0; HEADER];
    // Some file systems allocate space before they write.
    if !fill(log, &mut header)? || header == [0; HEADER] {
        return Ok(Log::Empty);
    }
    let big_endian = match word(&header, 0) {
        0x377f_0682 => false,
        0x377f_0683 => true,
        // SQLite would not read this as a log. Without the page size, its frames can't tell whether it was one.
        _ => return Ok(Log::Damaged { transactions: 0 }),
    };
    let page = word(&header, 8) as usize;
    if !(512..=65_536).contains(&page) || !page.is_power_of_two() {
        return Ok(Log::Damaged { transactions: 0 });
    }
    let mut sum = checksum(big_endian, (0, 0), &header[..24]);
    let mut good = sum == (word(&header, 24), word(&header, 28));
    // If the header itself is damaged, only the frames say which of them belong together.
    let mut salts = good.then(|| (word(&header, 16), word(&header, 20)));
    let mut frame = vec![0; FRAME_HEADER + page];
    let (mut after_damage, mut good_frames) = (0, 0);
    while fill(log, &mut frame)? {
        let found = (word(&frame, 8), word(&frame, 12));
        let same_salts = found == *salts.get_or_insert(found);
        if good {
            sum = checksum(big_endian, sum, &frame[..8]);
            sum = checksum(big_endian, sum, &frame[FRAME_HEADER..]);
            good = same_salts && sum == (word(&frame, 16), word(&frame, 20));
        }
        good_frames += u32::from(good);
        // The frame that ends a transaction carries the size of the database.
        if !good && same_salts && word(&frame, 4) != 0 {
            after_damage += 1;
        }
    }
    let is_acknowledged = |index: &Index| index.salts == header[16..24] && index.frames <= good_frames;
    let whole = after_damage < 2 || index.is_some_and(|index| is_acknowledged(&index));
    Ok(if whole { Log::Whole } else { Log::Damaged { transactions: after_damage } })
}

/// What an index says about its log. It outlives processes that were killed:
/// <https://sqlite.org/walformat.html#the_wal_index_file_format>.
struct Index {
    /// How many frames of the log are valid.
    frames: u32,
    /// How many of them are in the database.
    moved: u32,
    page: u64,
    /// As in the log.
    salts: [u8; 8],
}

fn read_index(path: &Path) -> io::Result<Option<Index>> {
    let mut header = [0; INDEX_HEADER];
    match File::open(path).and_then(|mut index| index.read_exact(&mut header)) {
        Ok(()) => {}
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => return Ok(None),
        Err(error) => return Err(error),
    }
    // Its numbers are in native byte order.
    let number = |at: usize| u32::from_ne_bytes(header[at..at + 4].try_into().expect("four bytes"));
    let page = match u16::from_ne_bytes([header[14], header[15]]) {
        1 => 65_536,
        page => u64::from(page),
    };
    let salts = header[32..40].try_into().expect("eight bytes");
    let is_set = header[12] == 1;
    Ok(is_set.then(|| Index { frames: number(16), moved: number(96), page, salts }))
}

/// The length that the log must have if its index refers to frames that are not in the database yet; 0 otherwise.
pub(crate) fn bytes_needed(index: &Path) -> io::Result<u64> {
    let needed = read_index(index)?.filter(|index| index.frames > index.moved);
    Ok(needed.map_or(0, |index| HEADER as u64 + u64::from(index.frames) * (FRAME_HEADER as u64 + index.page)))
}

/// False at the end of the log, which may be in the middle of a frame.
fn fill(log: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// SQLite's checksum, over pairs of words in the byte order that the log's magic number names.
fn checksum(big_endian: bool, (mut one, mut two): (u32, u32), bytes: &[u8]) -> (u32, u32) {
    let read = |bytes: &[u8]| {
        let bytes = bytes.try_into().expect("four bytes");
        if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    };
    for pair in bytes.chunks_exact(8) {
        one = one.wrapping_add(read(&pair[..4])).wrapping_add(two);
        two = two.wrapping_add(read(&pair[4..])).wrapping_add(one);
    }
    (one, two)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 512;
    const FRAME: usize = FRAME_HEADER + PAGE;
    const SALTS: (u32, u32) = (7, 0x5eed_5eed);

    /// A log as SQLite writes it.
    struct Written {
        big_endian: bool,
        salts: (u32, u32),
        bytes: Vec<u8>,
        sum: (u32, u32),
    }

    impl Written {
        fn new(big_endian: bool, salts: (u32, u32)) -> Self {
            let magic = if big_endian { 0x377f_0683 } else { 0x377f_0682 };
            let mut bytes = words(&[magic, 3_007_000, 512, 0, salts.0, salts.1]);
            let sum = checksum(big_endian, (0, 0), &bytes);
            bytes.extend(words(&[sum.0, sum.1]));
            assert_eq!(bytes.len(), HEADER);
            Self { big_endian, salts, bytes, sum }
        }

        /// Adds a transaction of `pages` pages.
        fn transaction(mut self, pages: u32) -> Self {
            for number in 1..=pages {
                let size_at_the_end = if number == pages { 9 } else { 0 };
                let head = words(&[number, size_at_the_end]);
                // The pages differ, and none is all zeros.
                let page: Vec<u8> = (0..PAGE).map(|at| (at + self.bytes.len() / 8 + 1) as u8).collect();
                self.sum = checksum(self.big_endian, self.sum, &head);
                self.sum = checksum(self.big_endian, self.sum, &page);
                self.bytes.extend(head);
                self.bytes.extend(words(&[self.salts.0, self.salts.1, self.sum.0, self.sum.1]));
                self.bytes.extend(page);
            }
            self
        }

        fn transactions(self, pages: &[u32]) -> Self {
            pages.iter().fold(self, |log, pages| log.transaction(*pages))
        }
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    fn judged(log: &[u8]) -> Log {
        judge(&mut &log[..], None).expect("a slice can be read")
    }

    /// The log with one byte changed in the page of frame `frame`.
    fn damaged(log: &[u8], frame: usize) -> Vec<u8> {
        changed(log, HEADER + frame * FRAME + FRAME_HEADER + 100)
    }

    fn changed(log: &[u8], at: usize) -> Vec<u8> {
        let mut log = log.to_vec();
        log[at] ^= 0x10;
        log
    }

    #[test]
    fn the_checksum_is_that_of_sqlite() {
        // The header of a log that SQLite wrote.
        let header = words(&[
            0x377f_0682,
            0x002d_e218,
            0x0000_1000,
            0x0000_0001,
            0x720f_0a52,
            0x5793_954f,
            0x27f1_1285,
            0x306e_7d81,
        ]);
        assert_eq!(header.len(), HEADER);
        let sum = checksum(false, (0, 0), &header[..24]);
        assert_eq!(sum, (word(&header, 24), word(&header, 28)));
    }

    #[test]
    fn a_missing_log_counts_as_empty() {
        let nowhere = Path::new(env!("CARGO_MANIFEST_DIR")).join("no-such-file-wal");
        assert_eq!(read(&nowhere, &nowhere).expect("it is not there"), Log::Empty);
        assert_eq!(judged(&[]), Log::Empty);
        // SQLite was interrupted while it created the log.
        assert_eq!(judged(&Written::new(false, SALTS).bytes[..20]), Log::Empty);
    }

    #[test]
    fn a_whole_log_is_whole_in_either_byte_order() {
        for big_endian in [false, true] {
            let log = Written::new(big_endian, SALTS);
            assert_eq!(judged(&log.bytes), Log::Whole);
            let log = log.transactions(&[1, 4, 2, 1, 3]);
            assert_eq!(judged(&log.bytes), Log::Whole);
            // It is read to its end: a change in the middle is found.
            assert_eq!(judged(&damaged(&log.bytes, 1)), Log::Damaged { transactions: 4 });
        }
    }

    #[test]
    fn a_torn_end_is_not_damage() {
        let log = Written::new(false, SALTS).transactions(&[2, 1, 3]).bytes;
        // The power may fail at any point.
        for length in (HEADER..log.len()).step_by(7) {
            assert_eq!(judged(&log[..length]), Log::Whole, "{length}");
        }
        // The pages of the last transaction may have reached the disk in any order.
        for frame in 3..6 {
            assert_eq!(judged(&damaged(&log, frame)), Log::Whole, "{frame}");
        }
    }

    #[test]
    fn transactions_after_damage_are_counted() {
        let log = Written::new(false, SALTS).transactions(&[2, 1, 3, 2, 1]).bytes;
        let expected = [5, 5, 4, 3, 3, 3, 2, 2];
        for (frame, transactions) in expected.into_iter().enumerate() {
            assert_eq!(judged(&damaged(&log, frame)), Log::Damaged { transactions }, "{frame}");
            // The same if the frame's own header is damaged: the page's number, or the checksum.
            for at in [3, 17] {
                let log = changed(&log, HEADER + frame * FRAME + at);
                assert_eq!(judged(&log), Log::Damaged { transactions }, "{frame}, {at}");
            }
        }
        // The same with two damaged frames.
        assert_eq!(judged(&damaged(&damaged(&log, 0), 5)), Log::Damaged { transactions: 5 });
        // A damaged page before a torn end.
        assert_eq!(judged(&damaged(&log, 3)[..log.len() - 10]), Log::Damaged { transactions: 2 });
    }

    #[test]
    fn older_frames_after_the_end_are_not_damage() {
        let old = Written::new(false, (6, 0x0dd)).transactions(&[2, 2, 2, 2]).bytes;
        let new = Written::new(false, SALTS).transactions(&[2, 1]).bytes;
        // SQLite starts over at the beginning without truncating the file.
        let mut both = old.clone();
        both[..new.len()].copy_from_slice(&new);
        assert_eq!(judged(&both), Log::Whole);
        // The last transaction is torn, and an old frame shows through.
        let torn = HEADER + 2 * FRAME;
        both[torn..].copy_from_slice(&old[torn..]);
        assert_eq!(judged(&both), Log::Whole);
        // Damage among the new frames is still found.
        let new = Written::new(false, SALTS).transactions(&[2, 1, 1]).bytes;
        both[..new.len()].copy_from_slice(&new);
        assert_eq!(judged(&damaged(&both, 1)), Log::Damaged { transactions: 3 });
    }

    #[test]
    fn a_file_that_is_not_a_log_is_damaged() {
        let log = Written::new(false, SALTS).transactions(&[1, 1]).bytes;
        // The magic number, and the page size.
        for at in [0, 3, 8, 11] {
            assert!(matches!(judged(&changed(&log, at)), Log::Damaged { .. }), "{at}");
        }
        let mut zeros = log.clone();
        zeros[..HEADER].fill(0);
        // As left by a file system that allocates space before it writes.
        assert_eq!(judged(&zeros), Log::Empty);
        // The header's own checksum.
        assert_eq!(judged(&changed(&log, 25)), Log::Damaged { transactions: 2 });
    }
}
