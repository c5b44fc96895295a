//! `GET /denylist`: what a follower is told, when, and what not.

mod access;
mod cursors;
mod limits;
mod many;
mod order;
mod pages;
mod servers;
mod vouching;
mod waiting;
mod world;
