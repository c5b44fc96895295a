//! What a write-ahead log holds before SQLite opens it: <https://sqlite.org/fileformat2.html#the_write_ahead_log>.
//!
//! SQLite reads a log up to the first frame whose checksum is wrong and forgets the rest without a word. After a power cut
//! that is as it should be: the last transaction was torn, and nobody was told that it is done. But whatever stands behind
//! *another* whole transaction was on the disk before, and was acknowledged; losing that is not for SQLite to decide.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;

/// Bytes before the first frame, and before each frame's page.
const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// What a log is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// There is none, or nothing in it.
    Empty,
    /// All of it can be read, but for a transaction at its end that was never acknowledged.
    Whole,
    /// That many transactions stand behind damage.
    Damaged {
        /// At least so many; the last of them may never have been acknowledged.
        transactions: usize,
    },
}

/// Reads the log at `path`.
pub(crate) fn read(path: &Path) -> io::Result<Log> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Log::Empty),
        Err(error) => return Err(error),
    };
    judge(&mut BufReader::with_capacity(1 << 18, file))
}

fn judge(log: &mut impl Read) -> io::Result<Log> {
    let mut header = [0; HEADER];
    if !fill(log, &mut header)? {
        return Ok(Log::Empty);
    }
    let big_endian = match word(&header, 0) {
        0x377f_0682 => false,
        0x377f_0683 => true,
        // Not a log that SQLite would read; whether it was one, its frames can't say without their page size.
        _ => return Ok(Log::Damaged { transactions: 0 }),
    };
    let page = word(&header, 8) as usize;
    if !(512..=65_536).contains(&page) || !page.is_power_of_two() {
        return Ok(Log::Damaged { transactions: 0 });
    }
    let mut sum = checksum(big_endian, (0, 0), &header[..24]);
    let mut good = sum == (word(&header, 24), word(&header, 28));
    let salts = (word(&header, 16), word(&header, 20));
    let mut frame = vec![0; FRAME_HEADER + page];
    let mut behind = 0;
    while fill(log, &mut frame)? {
        let same_salts = (word(&frame, 8), word(&frame, 12)) == salts;
        if good {
            sum = checksum(big_endian, sum, &frame[..8]);
            sum = checksum(big_endian, sum, &frame[FRAME_HEADER..]);
            good = same_salts && sum == (word(&frame, 16), word(&frame, 20));
        }
        // The frame that ends a transaction carries the size of the database.
        if !good && same_salts && word(&frame, 4) != 0 {
            behind += 1;
        }
    }
    Ok(if behind >= 2 { Log::Damaged { transactions: behind } } else { Log::Whole })
}

/// False at the end of the log, or in the middle of what was written last.
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

/// SQLite's own, over pairs of words in the byte order that the log's magic number names.
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
