//! Obtains OAuth2 tokens for an app, keeps them, and refreshes them in time.
#![forbid(unsafe_code)]
