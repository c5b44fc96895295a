//! The first start: the initial keys, client, user and scopes.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::clients::insert_client;
use crate::clients::scopes::upsert_scope;
use crate::database::globals::{ONLY, lock, raise_changes};
use crate::database::transaction::transaction;
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::keys::insert_key;
use crate::rows::{globals, user};
use crate::users::insert_user;
use crate::{Cause, ClientRecord, EventActor, NewKey, Result, Store, UserRecord};

/// What the first start writes.
#[derive(Clone, Default)]
pub struct Bootstrap {
    /// The first keys.
    pub keys: Vec<NewKey>,
    /// The first client; skipped if its id is taken.
    pub client: Option<ClientRecord>,
    /// The first user and the cost of the password hash; skipped if the name is taken.
    pub user: Option<(UserRecord, u32)>,
    /// Scopes to declare: name and description.
    pub scopes: Vec<(String, String)>,
    /// The time.
    pub now: i64,
    /// The same in milliseconds, for the events.
    pub at: i64,
}

/// The outcome of a first start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootstrapOutcome {
    /// Another server or an earlier start has already done it. Nothing was written.
    AlreadyDone,
    /// The data is committed.
    Done {
        /// False if the client's id was taken, or no client was given.
        client_added: bool,
        /// False if the user's name was taken, or no user was given.
        user_added: bool,
    },
}

impl Store {
    /// Writes the first keys, client, user and scopes, once per database: a mark in `globals` records that it was done,
    /// so a user that is deleted later does not come back.
    pub async fn bootstrap(&self, first: Bootstrap) -> Result<BootstrapOutcome> {
        let user = first.user.map(|(user, cost)| user::Model::new(user, cost)).transpose()?;
        let cause = Cause {
            actor: EventActor::Server { name: "first start".into() },
            address: None,
            request_id: None,
            at: first.at,
            session: None,
        };
        transaction!(self, |transaction| {
            // Two first starts at once: the second waits for this lock and then sees the mark.
            if lock(transaction).await?.bootstrapped_at.is_some() {
                return Ok(BootstrapOutcome::AlreadyDone);
            }
            for key in &first.keys {
                insert_key(transaction, key.clone()).await?;
            }
            for (name, description) in &first.scopes {
                upsert_scope(self, transaction, name, description, &cause).await?;
            }
            let client_added = match &first.client {
                Some(client) => insert_client(self, transaction, client, &cause).await?,
                None => false,
            };
            let user_added = match &user {
                Some(row) => insert_user(self, transaction, row.clone(), &cause).await?,
                None => false,
            };
            mark(transaction, first.now).await?;
            Ok(BootstrapOutcome::Done { client_added, user_added })
        })
    }
}

async fn mark(transaction: &WriteConnection, now: i64) -> Result<(), Fault> {
    let update = globals::Entity::update_many()
        .col_expr(globals::Column::BootstrappedAt, Expr::value(now))
        .filter(globals::Column::Id.eq(ONLY));
    update.exec(transaction).await?;
    Ok(raise_changes(transaction).await?)
}
