//! A real server and a real service with real HTTP between them: what is revoked at the server is rejected by the
//! service, whatever happens to the network, the database, the clocks and the keys.

mod bearer;
mod copy;
mod follower_rights;
mod half_open;
mod https;
mod no_database;
mod outage;
mod place;
mod proxy;
mod real_time;
mod replay;
mod restored;
mod revoked;
mod rotation;
mod serve;
mod skew;
mod support;
