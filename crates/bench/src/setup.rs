//! A new database with users and a resource server's client.

use ficha_authority::{Actor, ClientScopes, Cost, Grant, NewClient, NewPassword, NewUser, Password, Store};
use tempfile::TempDir;

use crate::Outcome;
use crate::child::{ServeOptions, ServerProcess};
use crate::drive::Connection;
use crate::issuer::ISSUER;

/// Every user's password.
pub const PASSWORD: &str = "plum otter violin drift nine";
/// How many users there are.
pub const USERS: usize = 64;
/// The resource server's client.
pub const INTROSPECTOR: &str = "notes-api";

/// What the scenarios share.
pub struct Setup {
    /// The database.
    pub url: String,
    /// `Authorization` of the resource server's client: it introspects and follows the denylist.
    pub introspector: String,
    /// Its secret.
    pub secret: String,
    /// Contains the SQLite file and the master key.
    pub folder: TempDir,
}

impl Setup {
    /// Creates the database, the keys, the users (with hashes of the lowest cost; scenarios set others) and the client.
    /// Without a URL, the database is a new SQLite file.
    pub async fn prepare(postgres: Option<&str>) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let file = format!("sqlite://{}", folder.path().join("ficha.db").display());
        let url = postgres.map_or(file, str::to_owned);
        let mut setup = Self { url, introspector: String::new(), secret: String::new(), folder };
        // The first start creates the keys and the default client.
        ServerProcess::start(&setup.serve(4, 256)).await?.stop().await?;
        setup.secret = setup.populate().await?;
        setup.introspector = basic(INTROSPECTOR, &setup.secret);
        Ok(setup)
    }

    /// The options of the server for a scenario.
    pub fn serve(&self, cost: u32, queue: usize) -> ServeOptions {
        let master_key = self.folder.path().join("master.key");
        ServeOptions { store: self.url.clone(), master_key, cost, queue }
    }

    async fn populate(&self) -> Outcome<String> {
        let admin = self.serve(4, 256).admin().await?;
        for index in 0..USERS {
            let user = NewUser {
                name: user(index),
                email: None,
                password: NewPassword::Plain(Password::new(PASSWORD)),
                scopes: "notes:read notes:write".parse()?,
                roles: Vec::new(),
                must_change: false,
            };
            admin.add_user(&Actor::command_line("bench"), user).await?;
        }
        let client = NewClient {
            id: INTROSPECTOR.into(),
            public: false,
            grants: vec![Grant::ClientCredentials],
            scopes: ClientScopes::Only("notes:read".parse()?),
            audience: None,
            serves: vec![ISSUER.into()],
            forwards_address: false,
            own_scopes: false,
        };
        let (_, secret) = admin.add_client(&Actor::command_line("bench"), client).await?;
        let secret = secret.ok_or("a confidential client has a secret")?;
        Ok(secret.expose().to_owned())
    }

    /// Stores every user's password with a hash of `cost`.
    pub async fn set_cost(&self, cost: u32) -> Outcome<()> {
        let admin = self.serve(cost, 256).admin().await?;
        let hash = bcrypt_sha256(cost)?;
        for index in 0..USERS {
            admin
                .set_password(&Actor::command_line("bench"), &user(index), NewPassword::Imported(hash.parse()?))
                .await?;
        }
        Cost::try_from(cost)?;
        Ok(())
    }

    /// The benchmark's own connection to the store.
    pub async fn store(&self) -> Outcome<Store> {
        Ok(Store::connect(&self.url).await?)
    }

    /// Logs in `count` users, and returns their access and refresh tokens.
    pub async fn log_in(&self, server: &ServerProcess, count: usize) -> Outcome<Vec<(String, String)>> {
        let mut connection = Connection::open(server.address).await?;
        let mut tokens = Vec::with_capacity(count);
        for index in 0..count {
            let answer = connection.post("/token", None, &login_form(index % USERS)).await?;
            tokens.push((answer.text("access_token")?, answer.text("refresh_token")?));
        }
        Ok(tokens)
    }
}

/// The name of a user.
pub fn user(index: usize) -> String {
    format!("user{index}")
}

/// The form that logs a user in.
pub fn login_form(index: usize) -> String {
    format!("grant_type=password&username={}&password={}", user(index), PASSWORD.replace(' ', "+"))
}

/// An `Authorization` header's value.
pub fn basic(id: &str, secret: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}")))
}

/// A hash of [`PASSWORD`] in the server's format.
fn bcrypt_sha256(cost: u32) -> Outcome<String> {
    // Made by the server's own hashing, so that the format is the same.
    let hashing = ficha_password::Hashing::start(ficha_password::HashingSettings::default())?;
    let cost = Cost::try_from(cost)?;
    let hash = tokio::task::block_in_place(|| {
        tokio::runtime::Handle::current().block_on(hashing.hash(0, Password::new(PASSWORD), cost))
    })?;
    Ok(hash.to_string())
}
