//! The documentation, checked against the program: commands and code blocks run as they stand on the page, references are
//! complete, and links lead somewhere.
#![expect(clippy::unwrap_used, reason = "a panic fails the test, as it should")]

mod accounted;
mod blocks;
mod commands;
mod figures;
mod free_texts;
mod library;
mod links;
mod markdown;
mod recording;
mod reference;
mod run;
mod shell;
mod translations;
mod troubleshooting;
mod tutorial;
