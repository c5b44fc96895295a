//! `/console/services`: who follows the denylist.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use ficha_authority::{FollowerState, Standing};
use i18n_embed_fl::fl;

use crate::pages::answer::{PageError, answered, html};
use crate::pages::frame::Frame;
use crate::pages::visitor::visitor;
use crate::pages::when::When;
use crate::state::State;

#[derive(Template)]
#[template(path = "services.html")]
struct ServicesPage {
    frame: Frame,
    services: Vec<Row>,
    unnamed: u64,
    silent: u64,
}

/// A service, and how it follows.
struct Row {
    service: String,
    instance: String,
    state: &'static str,
    text: String,
    refuses: Option<When>,
    lag: String,
    seen: When,
    client: String,
    address: String,
    lease: String,
    version: String,
}

/// Lists services.
pub async fn list(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let outcome = listed(&request, &state).await;
    answered(&request, &state, outcome).await
}

async fn listed(request: &HttpRequest, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = visitor(request, state).await?;
    let known = state.authority.admin().resource_servers(visitor.actor()).await?;
    let page = ServicesPage {
        services: known.services.into_iter().map(|one| Row::new(&visitor.frame, one)).collect(),
        unnamed: known.unnamed,
        silent: known.silent,
        frame: visitor.frame,
    };
    Ok(html(StatusCode::OK, &page))
}

impl Row {
    fn new(frame: &Frame, one: FollowerState) -> Self {
        let texts = frame.texts;
        let text = match one.standing {
            Standing::Applied => fl!(texts, "service-current"),
            Standing::Behind => fl!(texts, "service-behind"),
            Standing::CutOff => fl!(texts, "service-cut-off"),
            Standing::AcceptsStale => fl!(texts, "service-stale"),
        };
        let refuses = one.refuses_at.filter(|_| one.standing != Standing::Applied);
        Self {
            service: one.service,
            instance: one.instance,
            state: one.standing.as_str(),
            text,
            refuses: refuses.map(|at| frame.when(at.div_euclid(1_000))),
            lag: one.lag_ms.map(|lag| fl!(texts, "milliseconds", count = lag)).unwrap_or_default(),
            seen: frame.when(one.last_seen.div_euclid(1_000)),
            client: one.client.unwrap_or_default(),
            address: one.address.unwrap_or_default(),
            lease: one.lease_seconds.map(|lease| fl!(texts, "seconds", count = lease)).unwrap_or_default(),
            version: one.version.unwrap_or_default(),
        }
    }
}
