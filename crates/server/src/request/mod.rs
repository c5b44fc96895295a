//! Reading a request: its form, its client credentials, and where it comes from.

pub(crate) mod client_credentials;
pub(crate) mod form;
pub(crate) mod source;
