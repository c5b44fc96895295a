//! A third-party command-line app: it logs in, reads and writes notes, and logs out.
//!
//! ```sh
//! cargo run -p ficha-client --example notes_app -- login alice
//! cargo run -p ficha-client --example notes_app -- add "Buy milk"
//! cargo run -p ficha-client --example notes_app -- list
//! cargo run -p ficha-client --example notes_app -- logout
//! ```
//!
//! Settings, with their defaults: `FICHA_ISSUER` is the authorization server (`http://127.0.0.1:8080`), `NOTES_URL` the
//! API (`http://127.0.0.1:8081`), `NOTES_APP` the client id (`notes-app`), and `NOTES_TOKENS` the file for the tokens
//! (`notes-tokens.json`). The password is read from `NOTES_PASSWORD`, or else from standard input.

use std::error::Error;
use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

use ficha_client::{FileStore, TokenSource, http_client};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: notes_app login NAME | add TEXT | list | refresh | logout";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let api = setting("NOTES_URL", "http://127.0.0.1:8081");
    let tokens =
        TokenSource::builder(&setting("FICHA_ISSUER", "http://127.0.0.1:8080"), &setting("NOTES_APP", "notes-app"))
            .scope("notes:read notes:write")
            .store(FileStore::new(setting("NOTES_TOKENS", "notes-tokens.json")))
            .build()?;
    // Every request to the API carries a valid token. No token is sent anywhere else.
    let http = ClientBuilder::new(http_client()?.build()?).with(tokens.middleware([api.as_str()])?).build();

    let outcome = run_command(&arguments, &tokens, &http, &api).await;
    // A refresh may still continue in the background. Its result would be lost with the process.
    tokens.settled().await;
    outcome
}

async fn run_command(arguments: &[&str], tokens: &TokenSource, http: &ClientWithMiddleware, api: &str) -> Outcome<()> {
    match arguments[..] {
        ["login", name] => {
            tokens.login(name, &password()?).await?;
            println!("{name} is logged in");
        }
        ["add", text] => println!("note {} added", add(http, api, text).await?),
        ["list"] => list(http, api).await?,
        ["refresh"] => {
            let before = tokens.access_token().await?;
            tokens.replace(&before).await?;
            println!("the access token has been refreshed");
        }
        ["logout"] => {
            tokens.logout().await?;
            println!("logged out: the tokens are revoked and deleted from the file");
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}

async fn add(http: &ClientWithMiddleware, api: &str, text: &str) -> Outcome<Value> {
    let body = json!({ "text": text }).to_string();
    let request = http.post(format!("{api}/notes")).header("content-type", "application/json").body(body);
    let mut note: Value = answer(request.send().await?).await?;
    Ok(note["id"].take())
}

async fn list(http: &ClientWithMiddleware, api: &str) -> Outcome<()> {
    let notes: Value = answer(http.get(format!("{api}/notes")).send().await?).await?;
    for note in notes.as_array().into_iter().flatten() {
        println!("{}: {}", note["id"], note["text"].as_str().unwrap_or_default());
    }
    Ok(())
}

async fn answer(response: reqwest::Response) -> Outcome<Value> {
    let status = response.status();
    let body = response.text().await?;
    if status.is_success() {
        Ok(serde_json::from_str(&body)?)
    } else {
        Err(format!("the API returned {status}: {body}").into())
    }
}

fn password() -> Outcome<String> {
    if let Ok(password) = std::env::var("NOTES_PASSWORD") {
        return Ok(password);
    }
    if std::io::stdin().is_terminal() {
        eprint!("Password: ");
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}
