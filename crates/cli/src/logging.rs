//! Logs go to standard error; standard output is for what was asked.

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSettings};

/// Starts logging as the settings say.
pub fn start(settings: &LogSettings) {
    let level = EnvFilter::new(match settings.level.as_str() {
        // These tell of each step and each worker; whoever asks for more than `info` sees them.
        "info" => "info,sea_orm_migration=warn,actix_server=warn",
        other => other,
    });
    let logs = tracing_subscriber::fmt().with_env_filter(level).with_writer(std::io::stderr);
    match settings.format {
        LogFormat::Text => logs.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => logs.json().flatten_event(true).init(),
    }
}

/// For commands that end at once: only what goes wrong.
pub fn warnings_only(settings: &LogSettings) {
    // A certificate that is not trusted is the command's error, and said there.
    start(&LogSettings { level: "warn,rustls_platform_verifier=off".into(), ..settings.clone() });
}
