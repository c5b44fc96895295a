//! The bcrypt cost of new hashes.

use std::fmt;

/// The bcrypt cost of new hashes and of failed checks: 4 to 16. A hash takes 2^cost rounds of key expansion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cost(u32);

/// A cost outside the allowed range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bcrypt cost must be {min} to {max}, not {0}", min = Cost::MIN.0, max = Cost::MAX.0)]
pub struct CostOutOfRange(u32);

impl Cost {
    /// The lowest that bcrypt allows.
    pub const MIN: Self = Self(4);
    /// About five seconds per hash; more would only be a mistake.
    pub const MAX: Self = Self(16);

    /// The cost as bcrypt writes it.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The number of turns of key expansion: 2^cost.
    pub(crate) fn turns(self) -> u64 {
        1 << self.0
    }
}

impl TryFrom<u32> for Cost {
    type Error = CostOutOfRange;

    fn try_from(cost: u32) -> Result<Self, CostOutOfRange> {
        if (Self::MIN.0..=Self::MAX.0).contains(&cost) { Ok(Self(cost)) } else { Err(CostOutOfRange(cost)) }
    }
}

impl From<Cost> for u32 {
    fn from(cost: Cost) -> Self {
        cost.0
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_four_to_sixteen() {
        assert!([0, 3, 17, 31, u32::MAX].into_iter().all(|cost| Cost::try_from(cost).is_err()));
        assert!((4..=16).all(|cost| Cost::try_from(cost).is_ok_and(|parsed| parsed.get() == cost)));
        assert_eq!(Cost::try_from(3).unwrap_err().to_string(), "the bcrypt cost must be 4 to 16, not 3");
    }
}
