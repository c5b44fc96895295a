//! The database schema, one file per migration. `README.md` says how to write one.
#![forbid(unsafe_code)]

use sea_orm_migration::{MigrationTrait, MigratorTrait};

mod columns;
mod m0001_globals;
mod m0002_users;
mod m0003_clients;
mod m0004_scopes;
mod m0005_sessions;
mod m0006_denylist;
mod m0007_keys;
mod m0008_login_failures;
mod m0009_audit;
mod m0010_heartbeats;
mod m0011_bulk_revocations;
mod m0012_heartbeat_settings;
mod m0013_event_log;
mod m0014_authentication;
mod m0015_unreported_failures;
mod m0016_compatibility;
mod m0017_own_scopes;
mod m0018_followers_and_time;
mod m0019_must_change;
mod m0020_client_secrets;
mod m0021_jobs;
mod m0022_finding;
mod m0023_normal_names;

/// The newest migration that a server must know to work on the database as these migrations leave it. A server of the
/// release before that knows this one, but not all, can be restarted while a release is rolled out; servers from before
/// m0016 don't look at it, and only go on running. Contracting raises it.
pub const NEEDED: &str = "m0012_heartbeat_settings";

/// All migrations, in order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_globals::Step),
            Box::new(m0002_users::Step),
            Box::new(m0003_clients::Step),
            Box::new(m0004_scopes::Step),
            Box::new(m0005_sessions::Step),
            Box::new(m0006_denylist::Step),
            Box::new(m0007_keys::Step),
            Box::new(m0008_login_failures::Step),
            Box::new(m0009_audit::Step),
            Box::new(m0010_heartbeats::Step),
            Box::new(m0011_bulk_revocations::Step),
            Box::new(m0012_heartbeat_settings::Step),
            Box::new(m0013_event_log::Step),
            Box::new(m0014_authentication::Step),
            Box::new(m0015_unreported_failures::Step),
            Box::new(m0016_compatibility::Step),
            Box::new(m0017_own_scopes::Step),
            Box::new(m0018_followers_and_time::Step),
            Box::new(m0019_must_change::Step),
            Box::new(m0020_client_secrets::Step),
            Box::new(m0021_jobs::Step),
            Box::new(m0022_finding::Step),
            Box::new(m0023_normal_names::Step),
        ]
    }
}
