//! Reading a request: its form, the client's credentials, and where it came from.

pub(crate) mod client_credentials;
pub(crate) mod form;
pub(crate) mod source;
