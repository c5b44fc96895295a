//! `GET /denylist`: what followers receive, and when.

mod access;
mod cursors;
mod limits;
mod many;
mod order;
mod pages;
mod servers;
mod support;
mod vouching;
mod waiting;
