//! Who a user is: the password check, and brute-force protection around it.

pub(crate) mod counting;
pub(crate) mod outcome;
pub(crate) mod password;
pub(crate) mod throttle;
