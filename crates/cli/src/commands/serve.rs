//! `ficha serve`

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use ficha_authority::{Authority, DatabaseClock, FirstStart, Foundation, Store, check_master_key, first_start};
use ficha_server::{Listeners, Server, TlsSettings};
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use super::welcome;
use crate::config::{ConfigProblem, Configuration, EventLines, admin_at, issuer_of};
use crate::error::CliError;
use crate::{admin_context, logging, output};

/// How often the database is asked for its time: clocks drift and are changed.
const MEASURE_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub struct Arguments {
    /// Start with an empty database, even if the master key or the write-ahead log of another one is next to it
    #[arg(long)]
    first_start: bool,
}

/// Runs the server until SIGTERM or Ctrl-C.
///
/// Everything that can be checked without writing is checked first, so that a failed start leaves nothing behind: the
/// settings, the TLS files, the address, the master key, and only then the database.
///
/// `reload` reads the configuration again, at SIGHUP.
pub async fn run(
    arguments: &Arguments,
    mut configuration: Configuration,
    reload: impl Fn() -> Result<Configuration, ConfigProblem> + Clone + Send + 'static,
) -> Result<(), CliError> {
    logging::start_server(&configuration.log);
    // From here on it no longer ends the process.
    let hangup = signal(SignalKind::hangup()).map_err(CliError::Runtime)?;
    configuration.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let stop = Stop::listen()?;
    configuration.server.tls.as_ref().map(TlsSettings::load).transpose()?;
    let reserved = reserve(&mut configuration)?;
    // Refuses a malformed key before a SQLite file is created. Whether it fits is checked before that file is changed.
    configuration.master_key.load()?;

    let store = admin_context::connect_for_server(&configuration, arguments.first_start).await?;
    check_master_key(&store, &configuration.master_key).await?;
    if !arguments.first_start {
        admin_context::refuse_a_lost_database(&configuration, &store).await?;
    }
    for warning in store.doubtful_settings().await? {
        tracing::warn!("{warning}");
    }
    let steps = store.migrate().await?;
    if !steps.is_empty() {
        tracing::info!(steps = steps.len(), "database migrations applied");
    }
    let (base, clock) = admin_context::foundation(&configuration, store.clone()).await?;
    let first = first_start(&base).await?;
    let server = start(&configuration, base, reserved).await;
    let (authority, server) = match server {
        Ok(started) => started,
        Err(error) => {
            if let Err(output) = rescue_password(first.as_ref(), &configuration) {
                tracing::error!(%output, "could not print the password of admin; `ficha user set-password admin` sets another");
            }
            return Err(error);
        }
    };
    authority.metrics().log_lost.read_from(logging::lines_lost);
    if configuration.log.events == EventLines::Stdout {
        authority.events().send_to(logging::event_lines());
        authority.metrics().event_lines_lost.read_from(logging::event_lines_lost);
    }
    let mut background = authority.spawn_background();
    let timed = store.clone();
    background.keep("clock", move || keep_time(clock.clone(), timed.clone()));
    let (address, issuer) = (server.address(), configuration.settings.issuer.as_str());
    let docs = configuration.settings.issuer.endpoint("/docs");
    tracing::info!(%address, issuer, docs, "ficha is ready");
    if let Some(address) = server.metrics_address() {
        tracing::info!(%address, "metrics are served at an address of their own");
    }
    if let Some(address) = server.gate_bind() {
        tracing::info!(%address, "proxies may ask about tokens at /verify");
    }
    if let (Some(address), Some(admin)) = (server.admin_address(), &configuration.server.admin) {
        let at = admin.site.as_str();
        tracing::info!(%address, at, "the admin API and the console have an address of their own");
    }
    tell_supervisor(NotifyState::Ready);
    if let Some(first) = &first
        && let Err(error) = output::print(&welcome::notice(first, &configuration))
    {
        tracing::error!(%error, "could not print the password of admin; `ficha user set-password admin` sets another");
    }
    tokio::spawn(reload_at(hangup, store.clone(), reload));
    let (stop, now) = stop.signals();
    server.run_until(stop, now).await?;
    background.finish().await;
    // A database that does not answer must not delay the shutdown.
    let _ = tokio::time::timeout(Duration::from_secs(1), store.close()).await;
    tracing::info!("ficha has stopped");
    Ok(())
}

/// Binds the addresses before anything is written: an address in use is the most likely reason for a failed start. This
/// also resolves port 0, which an issuer that follows the address must contain.
fn reserve(configuration: &mut Configuration) -> Result<Listeners, CliError> {
    let listeners = configuration.server.listen()?;
    configuration.server.bind = listeners.address()?;
    if configuration.issuer_follows_bind {
        configuration.settings.issuer = issuer_of(configuration.server.bind, configuration.server.tls.is_some())?;
    }
    if let Some(bind) = listeners.admin_address()
        && configuration.admin_origin_follows_bind
    {
        let tls = configuration.server.tls.is_some();
        configuration.server.admin = Some(admin_at(bind, &configuration.settings.issuer, tls)?);
    }
    Ok(listeners)
}

async fn start(
    configuration: &Configuration,
    base: Foundation,
    reserved: Listeners,
) -> Result<(Authority, Server), CliError> {
    let authority = Authority::open(base).await?;
    let server = Server::on(reserved, authority.clone(), configuration.server.clone())?;
    Ok((authority, server))
}

/// Prints the first password if the server fails to start after the first start was committed: it would be lost.
fn rescue_password(first: Option<&FirstStart>, configuration: &Configuration) -> Result<(), CliError> {
    match first.and_then(|first| first.admin_password.as_ref()) {
        Some(password) => output::print(&welcome::password_notice(password.expose(), configuration)),
        None => Ok(()),
    }
}

async fn keep_time(clock: Arc<DatabaseClock>, store: Store) {
    loop {
        tokio::time::sleep(MEASURE_EVERY).await;
        if let Err(error) = clock.measure_again(&store).await {
            // An unreachable database is logged elsewhere.
            tracing::debug!(%error, "could not read the database's time; the last measurement stays in use");
        }
    }
}

/// At SIGHUP: takes the log's level and the database's URL from the configuration as it is now. Certificates are loaded
/// whenever their files change. Everything else needs a restart.
async fn reload_at(mut hangup: Signal, store: Store, reload: impl Fn() -> Result<Configuration, ConfigProblem>) {
    while hangup.recv().await.is_some() {
        let configuration = match reload() {
            Ok(configuration) => configuration,
            Err(error) => {
                tracing::error!(%error, "SIGHUP: the configuration can't be used; nothing has changed");
                continue;
            }
        };
        logging::set_level(&configuration.log);
        match store.use_url(configuration.store_url.expose()) {
            Ok(()) => tracing::info!("SIGHUP: log.level and the URL of the database were read again"),
            Err(error) => tracing::error!(%error, "SIGHUP: the URL of the database can't be used; the old one stays"),
        }
    }
}

/// Tells systemd, if it has started this process (`Type=notify`).
fn tell_supervisor(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd could not be notified");
    }
}

/// SIGTERM and Ctrl-C, handled from the beginning: a signal that arrives while the server starts is not lost.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn listen() -> Result<Self, CliError> {
        let listen = |kind| signal(kind).map_err(CliError::Runtime);
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// Ready with the first signal, and with the second.
    fn signals(mut self) -> (impl Future<Output = ()>, impl Future<Output = ()>) {
        let (stop, first) = oneshot::channel::<()>();
        let (now, second) = oneshot::channel::<()>();
        tokio::spawn(async move {
            self.next().await;
            tracing::info!("stopping: requests in progress are finished first; a second signal stops at once");
            tell_supervisor(NotifyState::Stopping);
            drop(stop);
            self.next().await;
            drop(now);
        });
        // The senders are dropped, not used.
        let ended = async |signal: oneshot::Receiver<()>| drop(signal.await);
        (ended(first), ended(second))
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
