//! Importing users.

use std::collections::BTreeSet;

use ficha_password::StoredHash;
use ficha_store::{JobKind, PasswordHashText, UserRecord};
use ficha_token::Scope;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::import_lines::{ImportFormat, ImportedUser};
use super::jobs::{JobInput, MOST_LINES};
use super::powers::{Access, Area};
use super::scopes::check_undeclared;
use super::users::with_account;
use super::{Actor, Admin, AdminError};
use crate::user_name::new_name;

/// How many users one transaction creates.
const USERS_A_PART: usize = 250;
/// How many characters of what is wrong with a line are kept: they may quote it.
const MOST_PROBLEM: usize = 200;

/// What a file says.
#[derive(Default)]
struct ReadUsers {
    total: i64,
    failed: i64,
    /// The first of them.
    problems: Vec<(i64, String)>,
    new_scopes: BTreeSet<String>,
    parts: Vec<Zeroizing<Vec<u8>>>,
}

impl ReadUsers {
    fn add(&mut self, part: &mut Vec<ImportedUser>) {
        if !part.is_empty() {
            self.parts.push(Zeroizing::new(serde_json::to_vec(part).unwrap_or_default()));
            part.clear();
        }
    }
}

impl Admin {
    /// Accepts a file of users as a job. What is wrong with a line is known at once, and the others are imported; a user
    /// whose name is taken is left as they are.
    pub async fn import_users(
        &self,
        actor: &Actor,
        format: ImportFormat,
        file: Zeroizing<Vec<u8>>,
    ) -> Result<Uuid, AdminError> {
        self.import_users_as(actor, self.new_id(), format, file).await
    }

    /// An id for a job that will be.
    pub fn new_job_id(&self) -> Uuid {
        self.new_id()
    }

    /// The same with this id of the job, which is new.
    pub async fn import_users_as(
        &self,
        actor: &Actor,
        id: Uuid,
        format: ImportFormat,
        file: Zeroizing<Vec<u8>>,
    ) -> Result<Uuid, AdminError> {
        actor.require(Access::Write, Area::Users)?;
        self.require_room_for_import().await?;
        let declared: BTreeSet<String> =
            self.base.store.list_scopes().await?.into_iter().map(|(name, _)| name).collect();
        let (admin, by) = (self.clone(), actor.clone());
        // With a hundred thousand lines this takes a good part of a second.
        let read = tokio::task::spawn_blocking(move || admin.read_users(&by, format, &file, &declared)).await;
        let read = read.map_err(|_| AdminError::Invalid("the file could not be read".into()))??;
        for name in &read.new_scopes {
            actor.require(Access::Write, Area::Scopes)?;
            self.base.store.declare_scope(name, "", &self.cause(actor)).await?;
        }
        let input = JobInput {
            id,
            kind: JobKind::ImportUsers,
            why: None,
            total: read.total,
            parts: read.parts,
            failed: read.failed,
            lines: read.problems,
        };
        self.accept_job(actor, input, |_| Vec::new()).await
    }

    fn read_users(
        &self,
        actor: &Actor,
        format: ImportFormat,
        file: &[u8],
        declared: &BTreeSet<String>,
    ) -> Result<ReadUsers, AdminError> {
        let lines = format.read(file)?;
        let mut read = ReadUsers { total: lines.len() as i64, ..ReadUsers::default() };
        let mut part = Vec::new();
        for (line, user) in lines {
            match user.and_then(|user| self.importable_user(actor, user, declared)) {
                Ok(user) => {
                    let new = user.scopes.split(' ').filter(|name| !name.is_empty() && !declared.contains(*name));
                    read.new_scopes.extend(new.map(str::to_owned));
                    part.push(user);
                    if part.len() == USERS_A_PART {
                        read.add(&mut part);
                    }
                }
                Err(problem) => {
                    read.failed += 1;
                    if read.problems.len() < MOST_LINES {
                        read.problems.push((line, problem.chars().take(MOST_PROBLEM).collect()));
                    }
                }
            }
        }
        read.add(&mut part);
        Ok(read)
    }

    /// What the actor may not create, or no login could use, is a problem of its line.
    fn importable_user(
        &self,
        actor: &Actor,
        user: ImportedUser,
        declared: &BTreeSet<String>,
    ) -> Result<ImportedUser, String> {
        let text = |error: AdminError| error.to_string();
        let hash = StoredHash::parse(&user.password_hash).map_err(|error| error.to_string())?;
        self.importable(hash).map_err(text)?;
        let scopes: Scope = user.scopes.parse().map_err(|error| format!("scopes: {error}"))?;
        actor.require_scopes_of(&scopes).map_err(text)?;
        for new in scopes.iter().filter(|name| !declared.contains(*name)) {
            if actor.require(Access::Write, Area::Scopes).is_err() {
                return Err(format!("the scope {new} is not declared, and you may not declare it"));
            }
            check_undeclared(new).map_err(text)?;
        }
        Ok(user)
    }

    /// The users of a part, as they are created; each with the cost of its hash.
    pub(super) fn users_of_part(&self, part: &[u8]) -> Result<Vec<(UserRecord, u32)>, AdminError> {
        let users: Vec<ImportedUser> =
            serde_json::from_slice(part).map_err(|_| AdminError::Invalid("a part of the job can't be read".into()))?;
        users.into_iter().map(|user| self.user_of(user)).collect()
    }

    fn user_of(&self, user: ImportedUser) -> Result<(UserRecord, u32), AdminError> {
        let hash = StoredHash::parse(&user.password_hash).map_err(|error| AdminError::Invalid(error.to_string()))?;
        let scopes = user.scopes.parse().map_err(|error| AdminError::Invalid(format!("scopes: {error}")))?;
        let record = UserRecord {
            id: self.new_id(),
            // A part from before names had a normal form; one that has none keeps its name.
            name: new_name(&user.name).unwrap_or(user.name),
            email: user.email,
            password_hash: PasswordHashText(hash.to_string()),
            scopes: with_account(&scopes),
            roles: user.roles,
            enabled: user.enabled,
            auth_version: 0,
            created_at: self.now(),
            must_change: user.must_change,
        };
        Ok((record, hash.cost().unwrap_or(0)))
    }
}
