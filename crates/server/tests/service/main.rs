//! A real server and a real service, with real HTTP between them: what is revoked at the one is refused at the other,
//! whatever happens to the way between them, to the database, to the clocks and to the keys.

mod bearer;
mod copy;
mod follower_rights;
mod half_open;
mod https;
mod no_database;
mod outage;
mod place;
mod put_back;
mod real_time;
mod replay;
mod revoked;
mod road;
mod rotation;
mod serve;
mod skew;
mod world;
