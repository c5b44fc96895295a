//! The server's own clients and scopes, added once per database: at the first start, or when a server of this version
//! first runs on an older one. A mark in `globals` records it, so what is deleted later does not come back.

use std::collections::HashMap;

use ficha_token::Scope;
use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::clients::insert_client;
use crate::clients::scopes::upsert_scope;
use crate::database::globals::{ONLY, lock, raise_changes};
use crate::database::transaction::{statement, transaction};
use crate::rows::{globals, user};
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
        self.give_to_users(&own.scope_of_users).await?;
        transaction!(self, |transaction| {
            // Two servers at once: the second waits for this lock and then sees the mark.
            if lock(transaction).await?.own_clients_at.is_some() {
                return Ok(false);
            }
            raise_changes(transaction).await?;
            for client in &own.clients {
                insert_client(self, transaction, client, cause).await?;
            }
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

    /// Page by page, and before the mark: one statement over very many users could take longer than PostgreSQL allows. It
    /// takes nothing away, so no session is concerned, and doing it twice changes nothing.
    async fn give_to_users(&self, scope: &str) -> Result<()> {
        use user::{Column, Entity};
        let mut after = None;
        loop {
            let query = Entity::find().select_only().columns([Column::Id, Column::Scopes]).order_by_asc(Column::Id);
            let query = query.filter(Condition::all().add_option(after.map(|id| Column::Id.gt(id)))).limit(PAGE);
            let page: Vec<(Uuid, String)> = query.into_tuple().all(self.reader()).await?;
            let mut lacking: HashMap<&str, Vec<Uuid>> = HashMap::new();
            for (id, scopes) in page.iter().filter(|(_, scopes)| scopes.split(' ').all(|name| name != scope)) {
                lacking.entry(scopes).or_default().push(*id);
            }
            for (before, ids) in lacking {
                // A list without room for it stays as it is, and no start fails for it.
                let Ok(with) = format!("{before} {scope}").trim_start().parse::<Scope>() else { continue };
                statement!(self, |database| {
                    // Not if somebody has changed them meanwhile: they know of the scope then.
                    let update = Entity::update_many()
                        .col_expr(Column::Scopes, Expr::value(with.to_string()))
                        .filter(Column::Id.is_in(ids.iter().copied()))
                        .filter(Column::Scopes.eq(before));
                    update.exec(database).await.map(drop)
                })?;
            }
            match page.last() {
                Some((last, _)) if page.len() as u64 == PAGE => after = Some(*last),
                _ => return Ok(()),
            }
        }
    }
}

/// How many users are read at a time.
const PAGE: u64 = 1_000;
