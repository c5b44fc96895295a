//! `ficha login` and `ficha logout`: what an app does, on the command line.

use std::time::Duration;

use clap::Args;
use ficha_authority::{ACCOUNT_SCOPE, ADMIN_CLI, FIRST_PARTY};
use ficha_client::admin::AdminClient;
use ficha_client::{MemoryStore, TokenSource, TokenStore, Tokens};
use serde_json::json;

use super::token;
use crate::config::{ConfigProblem, Configuration, EventLines, LogFormat, LogSettings};
use crate::error::CliError;
use crate::input_error::InputError;
use crate::lists::Words;
use crate::output::{self, system_time};
use crate::report::JsonArgument;
use crate::token_file::TokenFile;
use crate::{ask, lists, logging};

/// How long `--forget` waits for another process that is refreshing.
const LOCK_LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub struct Arguments {
    /// The server, by its issuer, exactly as configured there [default: the issuer in the settings]
    #[arg(long, alias = "issuer", value_name = "URL")]
    server: Option<String>,
    /// Sign in as an administrator, with every scope of the server's own that the user holds unless --scope names some, for `--server`
    #[arg(long, conflicts_with = "client")]
    admin: bool,
    /// The public client to log in through
    #[arg(long, alias = "client-id", value_name = "CLIENT", default_value = FIRST_PARTY)]
    client: String,
    /// The user name [default: prompt for it]
    #[arg(long, alias = "username", value_name = "USER")]
    user: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// The scopes to ask for: names separated by spaces; can be repeated [default: what the server grants]
    #[arg(long, value_name = "SCOPES")]
    scope: Vec<Words>,
    #[command(flatten)]
    json: JsonArgument,
    #[command(flatten)]
    file: TokenFile,
}

#[derive(Debug, Args)]
pub struct LogoutArguments {
    /// Delete the tokens without telling the server, where the session goes on until it expires
    #[arg(long)]
    forget: bool,
    /// End the session that `ficha login --admin` has begun
    #[arg(long)]
    admin: bool,
    #[command(flatten)]
    json: JsonArgument,
    #[command(flatten)]
    file: TokenFile,
}

/// The server's settings. The commands of an app need none, so an error is reported only if something in them is
/// needed.
pub type Loaded = Result<Configuration, ConfigProblem>;

/// Logs warnings, in the format of the settings if there are any.
pub fn log_warnings(configuration: &Loaded) {
    match configuration {
        Ok(configuration) => logging::warnings_only(&configuration.log),
        Err(_) => logging::warnings_only(&LogSettings {
            format: LogFormat::Text,
            level: String::new(),
            events: EventLines::Off,
        }),
    }
}

/// Logs in and stores the tokens.
pub async fn run(arguments: Arguments, configuration: Loaded) -> Result<(), CliError> {
    log_warnings(&configuration);
    let issuer = match arguments.server {
        Some(server) => server,
        None => configuration?.settings.issuer.as_str().to_owned(),
    };
    let store = if arguments.admin { arguments.file.admin_store()? } else { arguments.file.store()? };
    let path = store.path().display().to_string();
    let scope = lists::questioned(arguments.scope, "scope").map(|names| names.join(" "));
    if scope.as_deref() == Some("") {
        return Err(InputError::NoScope.into());
    }
    // What can't be read is an error of the login itself.
    let had = store.load().await.ok().flatten();
    let username = match arguments.user {
        Some(name) => name,
        None => ask::username()?,
    };
    let password = ask::password(arguments.password_stdin)?;
    let tokens = if arguments.admin {
        let scope = match scope {
            Some(scope) => scope,
            None => own_scopes(&issuer, &username, &password).await?,
        };
        let source = TokenSource::builder(&issuer, ADMIN_CLI).store(store).scope(&scope).build()?;
        source.login(&username, &password).await?
    } else {
        let builder = TokenSource::builder(&issuer, &arguments.client).store(store);
        let source = builder.scope(scope.as_deref().unwrap_or_default()).build()?;
        source.login(&username, &password).await?
    };
    if arguments.admin && tokens.scope() == Some(ACCOUNT_SCOPE) {
        output::warn(&format!("{username} has no scope with which anything can be administered"));
    }
    if arguments.json.report().is_json() {
        return output::json(&json!({
            "user": username,
            "issuer": tokens.issuer(),
            "client_id": tokens.client_id(),
            "scope": tokens.scope(),
            "audience": token::audience(&tokens),
            "expires_at": system_time(tokens.expires_at()),
            "refreshable": tokens.can_be_refreshed(),
            "token_file": path,
        }));
    }
    output::say(&format!("{username} is logged in at {}", tokens.issuer()))?;
    match had {
        // If that fails, a warning says so.
        Some(had) if had.issuer() == tokens.issuer() && had.client_id() == tokens.client_id() => {
            output::note(&format!("this login ends the session whose tokens were in {path}"));
        }
        Some(had) => output::note(&format!(
            "the tokens of {} at {} that were in {path} were replaced; their session goes on",
            had.client_id(),
            had.issuer()
        )),
        None => {}
    }
    let audience = token::audience(&tokens);
    output::fields(&[
        ("scope", output::or_dash(tokens.scope())),
        ("audience", output::or_dash(audience.as_deref())),
        ("until", until(&tokens)),
        ("stored in", path),
    ])
}

/// The server's own scopes that a user holds. They have to be named in a login, so a short session asks for them first.
async fn own_scopes(issuer: &str, username: &str, password: &str) -> Result<String, CliError> {
    let source = TokenSource::builder(issuer, ADMIN_CLI).store(MemoryStore::default()).scope(ACCOUNT_SCOPE).build()?;
    let client = AdminClient::new(source.clone())?;
    source.login(username, password).await?;
    let me = client.me().await;
    // Whatever came of it, this session is over.
    source.logout().await?;
    let held: Vec<String> = me?.scopes.into_iter().filter(|name| name.starts_with("ficha:")).collect();
    Ok(held.join(" "))
}

fn until(tokens: &Tokens) -> String {
    let time = system_time(tokens.expires_at());
    if tokens.can_be_refreshed() { format!("{time}, and refreshed when needed") } else { time }
}

/// Ends the session of the stored tokens.
pub async fn log_out(arguments: LogoutArguments, configuration: Loaded) -> Result<(), CliError> {
    log_warnings(&configuration);
    let report = arguments.json.report();
    let store = if arguments.admin { arguments.file.admin_store()? } else { arguments.file.store()? };
    if arguments.forget {
        if !store.path().exists() {
            return report.say_unchanged("not logged in", &json!({ "logged_out": false, "tokens_deleted": false }));
        }
        // The file is not read: this must work even if its content is damaged.
        let _lock = store.lock(LOCK_LIMIT).await.map_err(ficha_client::Error::from)?;
        store.clear().await.map_err(ficha_client::Error::from)?;
        let line = "the tokens were deleted; the session at the server goes on until it expires";
        return report.say(line, &json!({ "logged_out": false, "tokens_deleted": true }));
    }
    let Some(tokens) = store.load().await.map_err(ficha_client::Error::from)? else {
        return report.say_unchanged("not logged in", &json!({ "logged_out": false, "tokens_deleted": false }));
    };
    source_of(&tokens, store)?.logout().await?;
    let answer = json!({ "logged_out": true, "tokens_deleted": true, "issuer": tokens.issuer() });
    report.say(&format!("logged out at {}", tokens.issuer()), &answer)
}

/// A token source for the client and the issuer of these tokens.
pub fn source_of(tokens: &Tokens, store: impl TokenStore) -> Result<TokenSource, CliError> {
    Ok(TokenSource::builder(tokens.issuer(), tokens.client_id()).store(store).build()?)
}
