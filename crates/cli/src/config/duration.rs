//! Lengths of time in a configuration, such as `15s` or `30d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Unit letters and their seconds, the largest first.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Whole seconds, written as a bare number or with one of the letters s, m, h, d after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds(pub u64);

/// The text is not a length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be a length of time such as 90s, 15m, 24h or 7d")]
pub struct InvalidDuration;

impl Seconds {
    /// The same as a [`Duration`].
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl FromStr for Seconds {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        let unit = UNITS.iter().find_map(|&(letter, seconds)| Some((text.strip_suffix(letter)?, seconds)));
        let (digits, seconds) = unit.unwrap_or((text, 1));
        let number = whole_number(digits).ok_or(InvalidDuration)?;
        number.checked_mul(seconds).map(Self).ok_or(InvalidDuration)
    }
}

impl fmt::Display for Seconds {
    /// Uses the largest unit without a remainder.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |&&(_, seconds): &&(char, u64)| self.0 >= seconds && self.0.is_multiple_of(seconds);
        match UNITS.iter().find(fits) {
            Some((letter, seconds)) => write!(f, "{}{letter}", self.0 / seconds),
            None => write!(f, "{}s", self.0),
        }
    }
}

/// Parses digits only: the standard library's parser accepts a sign, too.
pub fn whole_number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_length_of_time_has_at_most_one_unit() {
        for (text, seconds) in [("0", 0), ("90", 90), ("15s", 15), ("10m", 600), ("12h", 43_200), ("30d", 2_592_000)] {
            assert_eq!(text.parse(), Ok(Seconds(seconds)), "{text}");
        }
        for text in
            ["", "m", "1.5m", "-1", "+1", "10 m", "10M", "1h30m", "1w", "99999999999999999999", "300000000000000d"]
        {
            assert_eq!(text.parse::<Seconds>(), Err(InvalidDuration), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_text_parses_back_to_the_same_length(seconds: u64) {
            prop_assert_eq!(Seconds(seconds).to_string().parse(), Ok(Seconds(seconds)));
        }

        #[test]
        fn no_text_causes_a_panic(text in "\\PC*") {
            let _ = text.parse::<Seconds>();
        }

        #[test]
        fn a_unit_multiplies(number in 0_u64..1_000_000, unit in 0_usize..4) {
            let (letter, seconds) = UNITS[unit];
            prop_assert_eq!(format!("{number}{letter}").parse(), Ok(Seconds(number * seconds)));
        }
    }
}
