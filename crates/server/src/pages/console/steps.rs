//! The next steps after a first start: a user, a client, a service. They are there until all are done.

use ficha_authority::{ADMIN_CLI, CONSOLE, FIRST_PARTY};
use i18n_embed_fl::fl;

use crate::pages::answer::PageError;
use crate::pages::visitor::Visitor;
use crate::state::State;

/// A step.
pub struct Step {
    pub text: String,
    pub path: String,
    pub is_done: bool,
}

/// The steps, for who may take them; none if all are done.
pub async fn steps(visitor: &Visitor, state: &State, has_services: bool) -> Result<Vec<Step>, PageError> {
    let (actor, admin) = (visitor.actor(), state.authority.admin());
    if actor.require_changing_users().is_err() || actor.require_changing_clients().is_err() {
        return Ok(Vec::new());
    }
    // Few are read: the first start makes one user and three clients.
    let users = admin.users(actor, None, 2).await?.len();
    let clients = admin.clients(actor, None, 4).await?;
    let own = |id: &str| [ADMIN_CLI, CONSOLE, FIRST_PARTY].contains(&id);
    let has_clients = clients.iter().any(|client| !own(&client.id));
    if users > 1 && has_clients && has_services {
        return Ok(Vec::new());
    }
    let (texts, base) = (visitor.frame.texts, &visitor.frame.base);
    let step = |text, path: &str, is_done| Step { text, path: format!("{base}{path}"), is_done };
    Ok(vec![
        step(fl!(texts, "step-user"), "/console/new-user", users > 1),
        step(fl!(texts, "step-client"), "/console/new-client", has_clients),
        step(fl!(texts, "step-service"), "/console/services", has_services),
    ])
}
