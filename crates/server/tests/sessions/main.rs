//! Sessions: refreshed, replayed, revoked, expired and introspected, also after failures.

mod actors;
mod background;
mod bearer;
mod clients;
mod clock;
mod cut_off;
mod events;
mod expiry;
mod failover;
mod history;
mod introspection;
mod keys;
mod logout;
mod outage;
mod parallel;
mod pooler;
mod pruning;
mod purge;
mod refresh;
mod revocation;
mod roles;
mod servers;
mod support;
