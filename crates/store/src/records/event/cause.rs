//! Who does something, from where, and in which request.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventActor {
    /// A user.
    User {
        /// The user's id.
        id: Uuid,
        /// The user's name, if it is known.
        name: Option<String>,
    },
    /// A client, on its own behalf or for a user who was not authenticated.
    Client {
        /// The client's id.
        id: String,
    },
    /// A command on the server's own machine.
    Cli {
        /// The account of the operating system.
        name: String,
    },
    /// The server itself.
    Server {
        /// Which part of it, such as `rotate_after`.
        name: String,
    },
    /// Somebody who was not authenticated.
    Anonymous,
}

impl EventActor {
    /// `user`, `client`, `cli`, `server` or `anonymous`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Client { .. } => "client",
            Self::Cli { .. } => "cli",
            Self::Server { .. } => "server",
            Self::Anonymous => "anonymous",
        }
    }

    /// The name, as far as it is known.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::User { name, .. } => name.as_deref(),
            Self::Client { id: name } | Self::Cli { name } | Self::Server { name } => Some(name),
            Self::Anonymous => None,
        }
    }

    /// The id, if it is a user.
    pub fn user_id(&self) -> Option<Uuid> {
        match self {
            Self::User { id, .. } => Some(*id),
            _ => None,
        }
    }
}

/// What all events of one request or command have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Who does it.
    pub actor: EventActor,
    /// From which address, as text.
    pub address: Option<String>,
    /// In which request.
    pub request_id: Option<String>,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// The session that must not have ended when it commits; `None` if it does not depend on one. Not stored: what has
    /// begun is also completed if the session of who began it ends.
    #[serde(skip)]
    pub session: Option<Uuid>,
}
