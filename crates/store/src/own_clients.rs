//! The server's own clients and scopes, added once per database: at the first start, or when a server of this version
//! first runs on an older one. A mark in `globals` records it, so what is deleted later does not come back.

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::clients::insert_client;
use crate::clients::scopes::upsert_scope;
use crate::database::globals::{ONLY, lock, raise_changes};
use crate::database::transaction::transaction;
use crate::rows::{client, globals, user};
use crate::{Cause, ClientRecord, Result, Store};

/// What is added.
#[derive(Debug, Clone)]
pub struct OwnClients {
    /// Skipped if the id is taken.
    pub clients: Vec<ClientRecord>,
    /// Declared: name and description. Those that are declared already keep their description.
    pub scopes: Vec<(String, String)>,
    /// Given to every user: one scope.
    pub scope_of_users: String,
}

impl Store {
    /// Adds them, unless that was done before. False if it was.
    pub async fn add_own_clients(&self, own: &OwnClients, now: i64, cause: &Cause) -> Result<bool> {
        let row = globals::Entity::find_by_id(ONLY).one(self.reader()).await?;
        if row.is_some_and(|row| row.own_clients_at.is_some()) {
            return Ok(false);
        }
        let clients: Vec<_> = own.clients.iter().cloned().map(client::Model::try_from).collect::<Result<_>>()?;
        transaction!(self, |transaction| {
            // Two servers at once: the second waits for this lock and then sees the mark.
            if lock(transaction).await?.own_clients_at.is_some() {
                return Ok(false);
            }
            raise_changes(transaction).await?;
            for row in &clients {
                insert_client(self, transaction, row.clone(), cause).await?;
            }
            give_to_users(&own.scope_of_users).exec(transaction).await?;
            let known = crate::rows::scope::Entity::find().all(transaction).await?;
            for (name, description) in own.scopes.iter().filter(|(name, _)| known.iter().all(|row| row.name != *name)) {
                upsert_scope(self, transaction, name, description, cause).await?;
            }
            let mark = globals::Entity::update_many()
                .col_expr(globals::Column::OwnClientsAt, Expr::value(now))
                .filter(globals::Column::Id.eq(ONLY));
            mark.exec(transaction).await?;
            Ok(true)
        })
    }
}

/// One statement over all users. It takes nothing away, so no session is concerned.
fn give_to_users(scope: &str) -> sea_orm::UpdateMany<user::Entity> {
    let scopes = || Expr::col(user::Column::Scopes);
    let surrounded = Expr::cust_with_exprs("(' ' || $1 || ' ')", [scopes()]);
    let with = Expr::cust_with_exprs("TRIM($1 || $2)", [scopes(), Expr::value(format!(" {scope}"))]);
    user::Entity::update_many()
        .col_expr(user::Column::Scopes, with)
        .filter(surrounded.like(format!("% {scope} %")).not())
}
