//! Rows of `sessions`.

use sea_orm::entity::prelude::*;

use super::{join_names, parse_scope, split_names};
use crate::{Authentication, Result, RevokeReason, SessionRecord, StoreError};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Option<Uuid>,
    pub subject: Uuid,
    pub client_id: String,
    pub scopes: String,
    pub roles: String,
    pub audience: String,
    pub generation: i64,
    pub rotated_at: i64,
    pub access_exp: i64,
    pub epoch: i64,
    pub created_at: i64,
    pub expires_at: i64,
    pub idle_expires_at: i64,
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub revoked_at: Option<i64>,
    pub revoked_reason: Option<String>,
    #[sea_orm(unique)]
    pub live_key: Option<String>,
    pub amr: Option<String>,
    pub acr: Option<String>,
    pub auth_time: Option<i64>,
    pub revoked_event: Option<Uuid>,
    pub idle_seconds: Option<i64>,
}

/// RFC 8176.
const PASSWORD: &str = "pwd";

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for SessionRecord {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self> {
        let reason = row.revoked_reason.as_deref().map(|text| {
            RevokeReason::parse(text)
                .ok_or_else(|| StoreError::Corrupt(format!("the reason {text:?} of session {}", row.id)))
        });
        // A row of the previous version: it knew nothing but passwords.
        let password = row.amr.is_none() && row.user_id.is_some();
        let amr = row.amr.as_deref().or(password.then_some(PASSWORD)).map(split_names);
        let at = row.auth_time.unwrap_or(row.created_at);
        Ok(Self {
            authentication: amr.map(|amr| Authentication { amr, acr: row.acr, at }),
            revoked: row.revoked_at.zip(reason.transpose()?),
            id: row.id,
            user_id: row.user_id,
            subject: row.subject,
            client_id: row.client_id,
            scopes: parse_scope(&row.scopes)?,
            roles: split_names(&row.roles),
            audience: row.audience,
            generation: row.generation,
            rotated_at: row.rotated_at,
            access_exp: row.access_exp,
            epoch: row.epoch,
            created_at: row.created_at,
            expires_at: row.expires_at,
            idle_expires_at: row.idle_expires_at,
            idle_seconds: row.idle_seconds,
            address: row.address,
            user_agent: row.user_agent,
        })
    }
}

impl Model {
    /// The row of a new session.
    pub fn new(session: SessionRecord, live_key: Option<String>) -> Result<Self> {
        let authentication = session.authentication;
        Ok(Self {
            id: session.id,
            user_id: session.user_id,
            subject: session.subject,
            client_id: session.client_id,
            scopes: session.scopes.to_string(),
            roles: join_names("role", &session.roles)?,
            audience: session.audience,
            generation: session.generation,
            rotated_at: session.rotated_at,
            access_exp: session.access_exp,
            epoch: session.epoch,
            created_at: session.created_at,
            expires_at: session.expires_at,
            idle_expires_at: session.idle_expires_at,
            address: session.address,
            user_agent: session.user_agent,
            revoked_at: session.revoked.map(|(at, _)| at),
            revoked_reason: session.revoked.map(|(_, reason)| reason.as_str().to_owned()),
            live_key,
            amr: authentication.as_ref().map(|how| join_names("method", &how.amr)).transpose()?,
            auth_time: authentication.as_ref().map(|how| how.at),
            acr: authentication.and_then(|how| how.acr),
            revoked_event: None,
            idle_seconds: session.idle_seconds,
        })
    }
}
