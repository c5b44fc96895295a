//! Signing in with a browser: the sessions of the server's own pages.
//!
//! Such a session is a session like any other, of the client `ficha-console`: it is in every list, and everybody who may
//! end sessions can end it. Its browser has no token but a cookie, which is looked up in the database with every request.

pub(crate) mod form;
pub(crate) mod session;
pub(crate) mod watch;
