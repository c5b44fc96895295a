//! Users: reading and adding them.

pub(crate) mod login_failures;
mod reported_failures;
pub(crate) mod update;

use std::collections::{BTreeMap, HashSet};

use sea_orm::sea_query::{Condition, Expr, OnConflict};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;
use uuid::Uuid;

use crate::database::globals::raise_changes;
use crate::database::transaction::transaction;
use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::events::described::described;
use crate::events::record;
use crate::rows::user;
use crate::rows::user::stored_cost;
use crate::{Cause, DatabaseKind, Direction, EventKind, NewEvent, PasswordHashText, Result, Store, UserRecord};

impl Store {
    /// Adds a user whose password hash has the cost `cost`. False if the name is taken.
    pub async fn add_user(&self, user: UserRecord, cost: u32, cause: &Cause) -> Result<bool> {
        let row = user::Model::new(user, cost)?;
        transaction!(self, |transaction| {
            raise_changes(transaction).await?;
            insert_user(self, transaction, row.clone(), cause).await
        })
    }

    /// The user with exactly this name.
    pub async fn user_by_name(&self, name: &str) -> Result<Option<UserRecord>> {
        let row = user::Entity::find().filter(user::Column::Name.eq(name)).one(self.reader()).await?;
        row.map(UserRecord::try_from).transpose()
    }

    /// The users who have this name, exactly or in its normal form: at most a few, and usually one or none.
    pub async fn users_by_name(&self, name: &str, normal: &str) -> Result<Vec<UserRecord>> {
        let is_it =
            Condition::any().add(user::Column::Name.is_in([name, normal])).add(user::Column::NormalName.eq(normal));
        user::Entity::find().filter(is_it).all(self.reader()).await?.into_iter().map(UserRecord::try_from).collect()
    }

    /// Users whose names look the same, because they have one normal form: from before names had one. Each is found by the
    /// exact name only. A group each, by their ids; at most 1,000 users are looked at.
    pub async fn colliding_names(&self) -> Result<Vec<Vec<(Uuid, String)>>> {
        const TWIN: &str = "EXISTS (SELECT 1 FROM users AS twin WHERE twin.id <> users.id AND (twin.name = users.normal_name \
             OR twin.normal_name = users.normal_name))";
        let odd = user::Entity::find()
            .filter(user::Column::NormalName.is_not_null())
            .filter(Expr::cust(TWIN))
            .order_by_asc(user::Column::NormalName)
            .limit(1_000);
        let mut groups = BTreeMap::<String, Vec<(Uuid, String)>>::new();
        for row in odd.all(self.reader()).await? {
            groups.entry(row.normal_name.unwrap_or_default()).or_default().push((row.id, row.name));
        }
        let same = user::Entity::find().filter(user::Column::Name.is_in(groups.keys()));
        for row in same.all(self.reader()).await? {
            groups.entry(row.name.clone()).or_default().push((row.id, row.name));
        }
        Ok(groups.into_values().filter(|users| users.len() > 1).collect())
    }

    /// Users since `since` (Unix seconds) whose name is not ASCII, without a normal form beside it: a server of the release
    /// before has added them, or the name is its own. At most 100,000.
    pub async fn names_to_complete(&self, since: i64) -> Result<Vec<(Uuid, String)>> {
        // Ids begin with the time of their creation.
        let millis = u64::try_from(since.max(0)).unwrap_or(0) * 1_000;
        let first = uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid();
        let is_odd = match self.kind() {
            DatabaseKind::Postgres => "octet_length(name) <> char_length(name)",
            DatabaseKind::Sqlite => "length(CAST(name AS BLOB)) <> length(name)",
        };
        let names = user::Entity::find().select_only().column(user::Column::Id).column(user::Column::Name);
        let names = names.filter(user::Column::Id.gte(first)).filter(user::Column::NormalName.is_null());
        Ok(names.filter(Expr::cust(is_odd)).limit(100_000).into_tuple().all(self.reader()).await?)
    }

    /// Stores the normal form of a name from before names had one, if it is still the user's.
    pub async fn set_normal_name(&self, id: Uuid, name: &str, normal: &str) -> Result<()> {
        transaction!(self, |transaction| {
            let update = user::Entity::update_many()
                .col_expr(user::Column::NormalName, Expr::value(normal))
                .filter(user::Column::Id.eq(id))
                .filter(user::Column::Name.eq(name));
            update.exec(transaction).await.map(drop).map_err(Fault::from)
        })
    }

    /// The user with this id.
    pub async fn user_by_id(&self, id: Uuid) -> Result<Option<UserRecord>> {
        let row = user::Entity::find_by_id(id).one(self.reader()).await?;
        row.map(UserRecord::try_from).transpose()
    }

    /// The names of the users with these ids; at most 1,000. Users that do not exist are left out.
    pub async fn user_names(&self, ids: &[Uuid]) -> Result<Vec<(Uuid, String)>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let query = user::Entity::find().select_only().column(user::Column::Id).column(user::Column::Name);
        Ok(query.filter(user::Column::Id.is_in(ids.iter().copied())).into_tuple().all(self.reader()).await?)
    }

    /// At most `limit` users after `after`, ordered by id.
    pub async fn list_users(&self, after: Option<Uuid>, limit: u64) -> Result<Vec<UserRecord>> {
        let mut query = user::Entity::find().order_by_asc(user::Column::Id).limit(limit);
        if let Some(after) = after {
            query = query.filter(user::Column::Id.gt(after));
        }
        query.all(self.reader()).await?.into_iter().map(UserRecord::try_from).collect()
    }

    /// At most `limit` users, the newest first, or the oldest first after `newer_than`.
    pub async fn scan_users(
        &self,
        older_than: Option<Uuid>,
        newer_than: Option<Uuid>,
        direction: Direction,
        limit: u64,
    ) -> Result<Vec<UserRecord>> {
        use user::Column;
        let within = Condition::all()
            .add_option(older_than.map(|id| Column::Id.lt(id)))
            .add_option(newer_than.map(|id| Column::Id.gt(id)));
        let query = user::Entity::find().filter(within).limit(limit);
        let query = match direction {
            Direction::NewestFirst => query.order_by_desc(Column::Id),
            Direction::OldestFirst => query.order_by_asc(Column::Id),
        };
        query.all(self.reader()).await?.into_iter().map(UserRecord::try_from).collect()
    }

    /// The highest cost of any stored password hash; `None` if there are no users.
    pub async fn highest_password_cost(&self) -> Result<Option<u32>> {
        Ok(highest_cost(self.reader()).await?.and_then(|cost| u32::try_from(cost).ok()))
    }

    /// Replaces a password hash with another one for the same password, if it is still `old`. Ends no sessions.
    pub async fn rehash_password(
        &self,
        id: Uuid,
        old: &PasswordHashText,
        new: &PasswordHashText,
        cost: u32,
    ) -> Result<bool> {
        let cost = stored_cost(cost);
        transaction!(self, |transaction| {
            if highest_cost(transaction).await?.is_none_or(|highest| cost > highest) {
                raise_changes(transaction).await?;
            }
            // Compare-and-set on the text: a password that was changed meanwhile stays changed.
            let update = user::Entity::update_many()
                .col_expr(user::Column::PasswordHash, Expr::value(new.0.as_str()))
                .col_expr(user::Column::PasswordCost, Expr::value(cost))
                .filter(user::Column::Id.eq(id))
                .filter(user::Column::PasswordHash.eq(old.0.as_str()));
            Ok(update.exec(transaction).await?.rows_affected == 1)
        })
    }
}

/// Inserts a user unless the name is taken, or is the normal form of another's.
pub(crate) async fn insert_user(
    store: &Store,
    transaction: &WriteConnection,
    row: user::Model,
    cause: &Cause,
) -> Result<bool, Fault> {
    // This release makes no such names. While it is rolled out, one before it may: `colliding_names` lists them then.
    if taken_by_look_alikes(transaction, [row.name.as_str()]).await?.contains(&row.name) {
        return Ok(false);
    }
    // The id is taken as well if two repeat one request.
    let taken = OnConflict::new().do_nothing().to_owned();
    let event = NewEvent::new(EventKind::UserCreated, cause).user(row.id).detail(json!({ "after": described(&row) }));
    let insert = user::Entity::insert(row.into_active_model()).on_conflict(taken);
    let is_new = insert.exec_without_returning(transaction).await? == 1;
    if is_new {
        record(store, transaction, event).await?;
    }
    Ok(is_new)
}

/// Those of these names that are the normal form of a user's name, which is spelled otherwise.
pub(crate) async fn taken_by_look_alikes<'a>(
    database: &impl ConnectionTrait,
    names: impl IntoIterator<Item = &'a str>,
) -> Result<HashSet<String>, sea_orm::DbErr> {
    let names = user::Column::NormalName.is_in(names);
    let found = user::Entity::find().select_only().column(user::Column::NormalName).filter(names);
    Ok(found.into_tuple::<String>().all(database).await?.into_iter().collect())
}

pub(crate) async fn highest_cost(database: &impl ConnectionTrait) -> Result<Option<i32>, sea_orm::DbErr> {
    let highest = user::Entity::find()
        .select_only()
        .column(user::Column::PasswordCost)
        .order_by(user::Column::PasswordCost, sea_orm::Order::Desc)
        .limit(1);
    highest.into_tuple().one(database).await
}
