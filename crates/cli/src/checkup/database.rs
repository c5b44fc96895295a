//! What the database tells: its state, and the users and clients in it. Nothing is written.

use ficha_authority::{
    ADMIN, ADMIN_CLI, ADMIN_SCOPE, Admin, CONSOLE, ClientRecord, ClientScopes, EventKind, EventQuery, EventsFrom,
    FIRST_PARTY, PageFrom, PostgresFacts, Sight, Store, UserRecord, UserSearch, check_master_key,
};

use ficha_token::{Clock, SystemClock};

use crate::admin_context::{actor, connect_to_existing, foundation};
use crate::config::Configuration;
use crate::error::CliError;
use crate::finding::Finding;

/// How long before the end of a secret that is a warning.
const SOON_SECONDS: i64 = 14 * 86_400;
/// For how long an event is kept at least.
const EVENTS_KNOWN_SECONDS: i64 = 360 * 86_400;
/// How many seconds two clocks may differ: some are the time that the answer takes.
const CLOCK_SECONDS: i64 = 3;
/// How many users or clients are read at a time.
const PAGE: u64 = 500;

/// Every finding about the database.
pub async fn check(configuration: &Configuration) -> Vec<Finding> {
    match findings(configuration).await {
        Ok(found) => found,
        Err(CliError::NothingThere(_)) => vec![empty()],
        Err(error) => {
            let to_do = error.advice();
            vec![Finding::error("database.unreachable", format!("the database was not checked: {error}"), to_do)]
        }
    }
}

fn empty() -> Finding {
    Finding::warning(
        "database.empty",
        "there was no first start yet, so users and clients were not checked",
        "run this again after the first start",
    )
}

async fn findings(configuration: &Configuration) -> Result<Vec<Finding>, CliError> {
    let store = connect_to_existing(configuration).await?;
    let found = of_store(configuration, store.clone()).await;
    // Otherwise the files of SQLite's write-ahead log would stay.
    store.close().await;
    found
}

async fn of_store(configuration: &Configuration, store: Store) -> Result<Vec<Finding>, CliError> {
    if store.is_empty_database().await? {
        return Ok(vec![empty()]);
    }
    let mut found = postgres(configuration, &store).await?;
    let pending = store.pending_migrations().await?.len();
    if pending > 0 {
        found.push(Finding::warning(
            "database.migrations",
            format!("{pending} migrations are pending: users and clients were not checked"),
            "make a backup, and run `ficha migrate`",
        ));
        return Ok(found);
    }
    // One that can't be read is found among the files.
    if configuration.master_key.load().is_ok()
        && let Err(error) = check_master_key(&store, &configuration.master_key).await
    {
        found.push(Finding::error(
            "master_key.wrong",
            error.to_string(),
            "use the key that was created with this database",
        ));
    }
    if !store.is_bootstrapped().await? {
        found.push(empty());
        return Ok(found);
    }
    let (base, _) = foundation(configuration, store.clone()).await?;
    let now = base.clock.unix_now();
    let admin = Admin::open(base)?;
    found.extend(administrators(&admin, &store, now).await?);
    found.extend(clients(configuration, &admin, now).await?);
    Ok(found)
}

async fn postgres(configuration: &Configuration, store: &Store) -> Result<Vec<Finding>, CliError> {
    let mut found: Vec<Finding> = Vec::new();
    for text in store.doubtful_settings().await? {
        found.push(Finding::error("postgres.durability", text, "switch it on in postgresql.conf"));
    }
    let Some(facts) = store.postgres_facts().await? else { return Ok(found) };
    found.extend(clock(store.database_time().await?));
    let PostgresFacts { is_remote, is_encrypted, is_superuser, usable_connections } = facts;
    let url = configuration.store_url.expose();
    if is_remote && !is_encrypted {
        let what =
            "the connection to PostgreSQL is not encrypted: password hashes and its own password cross the network";
        let to_do = "add sslmode=verify-full to the URL";
        found.push(match url.contains("sslmode=disable") {
            // As in a network that nobody else is in.
            true => Finding::warning("postgres.plain_on_purpose", what, to_do),
            false => Finding::error("postgres.plain", what, to_do),
        });
    } else if is_remote && !url.contains("sslmode=verify-") {
        let what = "the connection to PostgreSQL is encrypted, but nobody checks whose certificate that is";
        found.push(Finding::warning("postgres.unverified", what, "add sslmode=verify-full to the URL"));
    }
    if is_superuser {
        let what = "the server's role is a superuser of PostgreSQL: an attacker who takes over the server can change every database";
        found.push(Finding::warning("postgres.superuser", what, "create a role of its own"));
    }
    // One for the listener, and two for a command.
    let needed = i64::from(configuration.store_connections) + 3;
    if needed > usable_connections {
        let what =
            format!("PostgreSQL allows {usable_connections} connections, and one server with a command needs {needed}");
        found.push(Finding::warning("postgres.connections", what, "raise max_connections, or lower store.connections"));
    }
    Ok(found)
}

/// The database's clock, in milliseconds since 1970, beside this machine's.
fn clock(theirs: i64) -> Option<Finding> {
    let ahead = theirs / 1_000 - SystemClock.unix_now();
    let what = || {
        let direction = if ahead > 0 { "ahead of" } else { "behind" };
        let seconds = ahead.abs();
        format!(
            "the clock of the database is {seconds} seconds {direction} this machine's: tokens have its time, and services check them by their own"
        )
    };
    let to_do = "synchronize the clocks of all machines by NTP";
    (ahead.abs() > CLOCK_SECONDS).then(|| Finding::warning("clock.differs", what(), to_do))
}

async fn administrators(admin: &Admin, store: &Store, now: i64) -> Result<Vec<Finding>, CliError> {
    let search = UserSearch { scope: Some(ADMIN_SCOPE.into()), enabled: Some(true), ..UserSearch::default() };
    let (mut holders, mut from) = (Vec::<UserRecord>::new(), PageFrom::Newest);
    loop {
        let page = admin.search_users(&actor(), &search, from, PAGE as usize).await?;
        holders.extend(page.users);
        match page.next {
            Some(next) => from = PageFrom::OlderThan(next),
            None => break,
        }
    }
    let mut found = Vec::new();
    match holders.as_slice() {
        [] => found.push(Finding::error(
            "admin.none",
            "no enabled user has the scope ficha:admin: nobody may administer this server over HTTP",
            "run `ficha user set USER --scope \"… ficha:admin\"`",
        )),
        [one] => found.push(Finding::warning(
            "admin.single",
            format!(
                "the user {:?} alone has the scope ficha:admin: without that password, only this machine helps",
                one.name
            ),
            "give the scope to a second user",
        )),
        _ => {}
    }
    let first = holders.iter().find(|user| user.name == ADMIN);
    if let Some(user) = first
        && has_first_password(admin, store, user, now).await?
    {
        found.push(Finding::warning(
            "admin.first_password",
            "the password of admin has never been changed: if the first start has printed it, it is in the log",
            "run `ficha user set-password admin`",
        ));
    }
    Ok(found)
}

/// False where that is not known.
async fn has_first_password(admin: &Admin, store: &Store, user: &UserRecord, now: i64) -> Result<bool, CliError> {
    // It rises with every change and every revocation.
    if user.auth_version == 0 {
        return Ok(true);
    }
    if user.created_at < now - EVENTS_KNOWN_SECONDS {
        return Ok(false);
    }
    let changed = EventKind::UserPasswordChanged;
    let waiting = store.pending_events(PAGE).await?;
    if waiting.len() as u64 == PAGE
        || waiting.iter().any(|event| event.event == changed.as_str() && event.user_id == Some(user.id))
    {
        return Ok(false);
    }
    let query =
        EventQuery { event: Some(changed.as_str().into()), user: Some(user.id.to_string()), ..EventQuery::default() };
    let search = admin.event_search(&actor(), &query, Sight::All).await?;
    Ok(admin.search_events(&search, EventsFrom::Newest, 1).await?.events.is_empty())
}

async fn clients(configuration: &Configuration, admin: &Admin, now: i64) -> Result<Vec<Finding>, CliError> {
    let mut all: Vec<ClientRecord> = Vec::new();
    loop {
        let page = admin.clients(&actor(), all.last().map(|client| client.id.as_str()), PAGE).await?;
        let is_last = (page.len() as u64) < PAGE;
        all.extend(page);
        if is_last {
            break;
        }
    }
    all.retain(|client| client.enabled);
    let mut found: Vec<Finding> = all.iter().flat_map(|client| of_client(client, now)).collect();
    if configuration.settings.issuer.is_loopback() {
        return Ok(found);
    }
    if all.iter().any(|client| client.id == FIRST_PARTY && client.scopes == ClientScopes::Any) {
        found.push(Finding::warning(
            "client.first_party",
            "the public client first-party may ask for every scope of a user, and everybody knows its name",
            "run `ficha client disable first-party`, unless /docs or an app uses it",
        ));
    }
    if all.iter().all(|client| client.serves.is_empty()) {
        found.push(Finding::warning(
            "services.none",
            "no client serves an audience: no service can follow the denylist, or introspect",
            "run `ficha client add notes-api --serves notes`, with a name and an audience of your own",
        ));
    }
    Ok(found)
}

fn of_client(client: &ClientRecord, now: i64) -> Vec<Finding> {
    let (id, mut found) = (&client.id, Vec::new());
    if client.own_scopes && client.is_public() && ![ADMIN_CLI, CONSOLE].contains(&id.as_str()) {
        found.push(Finding::error(
            "client.own_scopes_public",
            format!(
                "the public client {id} may obtain the server's own scopes: so may every program that uses its name"
            ),
            format!("run `ficha client set {id} --own-scopes=false`"),
        ));
    }
    let ends: Option<Vec<i64>> = client.secrets.iter().map(|secret| secret.expires_at).collect();
    // If one of them has no end, the client goes on.
    if let Some(last) = ends.and_then(|ends| ends.into_iter().max())
        && last < now + SOON_SECONDS
    {
        let (what, to_do) = (
            format!("the last secret of the client {id} expires on {}", crate::output::time(last)),
            format!("run `ficha client add-secret {id} --keep-old 24h`"),
        );
        found.push(match last <= now {
            true => Finding::error("client.secret_expired", what, to_do),
            false => Finding::warning("client.secret_expires", what, to_do),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_differs_is_found() {
        let now = SystemClock.unix_now() * 1_000;
        assert_eq!(clock(now), None);
        for (ahead, says) in [(60_000, "60 seconds ahead of"), (-60_000, "seconds behind")] {
            let found = clock(now + ahead).expect("it differs");
            assert!(found.what.contains(says), "{found}");
        }
    }
}
