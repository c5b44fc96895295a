//! How a program uses a client, ready to paste. What is secret comes from the environment.

use ficha_authority::CONSOLE;

use super::Row;

/// A piece of a program.
#[derive(Debug)]
pub struct Snippet {
    /// The language, or the program.
    pub title: &'static str,
    pub text: String,
}

/// The pieces for a client, by what it may do.
pub fn snippets(issuer: &str, client: &Row) -> Vec<Snippet> {
    // The console's own client gets no tokens from `/token`.
    if client.id == CONSOLE {
        return Vec::new();
    }
    let mut all = Vec::new();
    let piece = |title, text| Snippet { title, text };
    if client.has("password") {
        let fields = fields(client, "password");
        all.push(piece(
            "curl",
            curl(issuer, client, "password", "-d username=alice --data-urlencode \"password=$PASSWORD\""),
        ));
        all.push(piece("Python (requests)", python(issuer, &fields)));
        all.push(piece("JavaScript (Node.js)", javascript(issuer, &fields)));
        all.push(piece("Rust (ficha-client)", rust(issuer, client)));
    } else if client.has("client_credentials") {
        let fields = fields(client, "client_credentials");
        all.push(piece("curl", curl(issuer, client, "client_credentials", "")));
        all.push(piece("Python (requests)", python(issuer, &fields)));
        all.push(piece("JavaScript (Node.js)", javascript(issuer, &fields)));
        all.push(piece("Rust (ficha-client)", rust(issuer, client)));
    }
    if !client.serves.is_empty() && !client.is_public {
        all.push(piece("Python (FastAPI)", fastapi(issuer, client)));
    }
    all
}

/// A value of a form: a text, or what the environment has.
enum Value {
    Text(String),
    Environment(&'static str),
}

fn fields(client: &Row, grant: &str) -> Vec<(&'static str, Value)> {
    let mut fields = vec![("grant_type", Value::Text(grant.into())), ("client_id", Value::Text(client.id.clone()))];
    if !client.is_public {
        fields.push(("client_secret", Value::Environment("CLIENT_SECRET")));
    }
    if let Some(scope) = own_scopes(client) {
        fields.push(("scope", Value::Text(scope)));
    }
    if grant == "password" {
        fields.push(("username", Value::Text("alice".into())));
        fields.push(("password", Value::Environment("PASSWORD")));
    }
    fields
}

/// The server's own scopes, which are granted only when named.
fn own_scopes(client: &Row) -> Option<String> {
    let own = client.scopes.as_deref().unwrap_or_default().iter().filter(|name| name.starts_with("ficha:"));
    let own: Vec<&str> = own.map(String::as_str).collect();
    (client.own_scopes && !own.is_empty()).then(|| own.join(" "))
}

fn curl(issuer: &str, client: &Row, grant: &str, more: &str) -> String {
    let mut text = format!("curl -sS {} -d grant_type={grant}", shell(&format!("{issuer}/token")));
    text += &format!(" \\\n  --data-urlencode {}", shell(&format!("client_id={}", client.id)));
    if !client.is_public {
        text += " \\\n  --data-urlencode \"client_secret=$CLIENT_SECRET\"";
    }
    if let Some(scope) = own_scopes(client) {
        text += &format!(" \\\n  --data-urlencode {}", shell(&format!("scope={scope}")));
    }
    if !more.is_empty() {
        text += &format!(" \\\n  {more}");
    }
    text
}

fn python(issuer: &str, fields: &[(&'static str, Value)]) -> String {
    let line = |(name, value): &(&str, Value)| match value {
        Value::Text(text) => format!("    {}: {},\n", json(name), json(text)),
        Value::Environment(name_of) => format!("    {}: os.environ[{}],\n", json(name), json(name_of)),
    };
    let form: String = fields.iter().map(line).collect();
    format!(
        "import os\n\nimport requests\n\nanswer = requests.post({}, timeout=10, data={{\n{form}}})\n\
         answer.raise_for_status()\nprint(answer.json()[\"access_token\"])",
        json(&format!("{issuer}/token"))
    )
}

fn javascript(issuer: &str, fields: &[(&'static str, Value)]) -> String {
    let line = |(name, value): &(&str, Value)| match value {
        Value::Text(text) => format!("    {name}: {},\n", json(text)),
        Value::Environment(name_of) => format!("    {name}: process.env.{name_of},\n"),
    };
    let form: String = fields.iter().map(line).collect();
    format!(
        "const answer = await fetch({}, {{\n  method: \"POST\",\n  body: new URLSearchParams({{\n{form}  }}),\n}});\n\
         if (!answer.ok) throw new Error(await answer.text());\nconsole.log((await answer.json()).access_token);",
        json(&format!("{issuer}/token"))
    )
}

/// A whole program, for the crates `ficha-client` and `tokio`.
fn rust(issuer: &str, client: &Row) -> String {
    let mut builder = format!("ficha_client::TokenSource::builder({}, {})", json(issuer), json(&client.id));
    if !client.is_public {
        builder += "\n        .client_secret(std::env::var(\"CLIENT_SECRET\")?)";
    }
    if let Some(scope) = own_scopes(client) {
        builder += &format!("\n        .scope({})", json(&scope));
    }
    let is_own = !client.has("password");
    if is_own {
        builder += "\n        .client_credentials()";
    }
    let login = if is_own { "" } else { "    tokens.login(\"alice\", &std::env::var(\"PASSWORD\")?).await?;\n" };
    format!(
        "#[tokio::main]\nasync fn main() -> Result<(), Box<dyn std::error::Error>> {{\n    let tokens = {builder}\n        \
         .build()?;\n{login}    println!(\"{{}}\", tokens.access_token().await?.secret());\n    Ok(())\n}}"
    )
}

/// A service that asks the server about each token. One that follows the denylist asks nothing: `docs/` says how.
fn fastapi(issuer: &str, client: &Row) -> String {
    format!(
        "import os\nfrom typing import Annotated\n\nimport requests\nfrom fastapi import Depends, FastAPI, HTTPException\n\
         from fastapi.security import OAuth2PasswordBearer\n\napp = FastAPI()\n\
         bearer = OAuth2PasswordBearer(tokenUrl={token})\n\n\n\
         def user(token: Annotated[str, Depends(bearer)]) -> dict:\n    answer = requests.post({introspect}, timeout=10, data={{\n        \
         \"token\": token,\n        \"client_id\": {id},\n        \"client_secret\": os.environ[\"CLIENT_SECRET\"],\n    }})\n    \
         answer.raise_for_status()\n    seen = answer.json()\n    if not seen[\"active\"] or seen[\"aud\"] not in ({audience}, [{audience}]):\n        \
         raise HTTPException(401, headers={{\"WWW-Authenticate\": \"Bearer\"}})\n    return seen\n\n\n\
         @app.get(\"/notes\")\ndef notes(user: Annotated[dict, Depends(user)]) -> dict:\n    return {{\"sub\": user[\"sub\"]}}",
        token = json(&format!("{issuer}/token")),
        introspect = json(&format!("{issuer}/introspect")),
        id = json(&client.id),
        audience = json(client.serves.first().map_or("", String::as_str)),
    )
}

/// A word of a shell.
fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A text as JSON writes it, which Python, JavaScript and Rust read as well: it has no control characters.
fn json(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}
