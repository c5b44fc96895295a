//! `/console`: the state of the whole, and what needs attention.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use ficha_authority::{Activity, Attention, JobKind, KeyPurpose, Overview, Standing};
use i18n_embed_fl::fl;

use super::jobs::kind_text;
use super::plot::{Plot, in_steps};
use super::steps::{Step, steps};
use crate::api::reads::record_read;
use crate::error::no_store;
use crate::pages::answer::{PageError, answered, html, script_answer};
use crate::pages::frame::Frame;
use crate::pages::see_other;
use crate::pages::sign_in::query;
use crate::pages::texts::Texts;
use crate::pages::visitor::{silent_visitor, visitor};
use crate::pages::when::When;
use crate::state::State;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    range: Range,
    live: String,
    denylist: u64,
    /// How many services there are, and how many of them are up to date.
    services: usize,
    refusing: usize,
    /// Since when the current key signs.
    key: Option<When>,
    attention: Vec<AttentionRow>,
    /// What to do after a first start.
    steps: Vec<Step>,
    plots: Vec<Plot>,
}

impl OverviewPage {
    /// Where a script asks for the numbers again.
    fn numbers(&self) -> String {
        format!("{}/console/numbers", self.frame.base)
    }
}

/// How much of the past is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    Hour,
    Day,
    Week,
    Month,
}

impl Range {
    const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    fn text(self, texts: &Texts) -> String {
        match self {
            Self::Hour => fl!(texts, "last-hour"),
            Self::Day => fl!(texts, "last-day"),
            Self::Week => fl!(texts, "last-week"),
            Self::Month => fl!(texts, "last-month"),
        }
    }

    /// How many minutes it has, and how many of them one step of a plot.
    fn minutes(self) -> (i64, usize) {
        match self {
            Self::Hour => (60, 1),
            Self::Day => (24 * 60, 15),
            Self::Week => (7 * 24 * 60, 120),
            // All but the last week is kept by the hour.
            Self::Month => (30 * 24 * 60, 12 * 60),
        }
    }
}

/// Something that needs attention.
struct AttentionRow {
    title: String,
    /// What it is about: a name, a number, or the words of an error.
    subject: String,
    /// The language of these words, if it is not the page's.
    language: &'static str,
    /// What to do.
    advice: String,
    since: Option<When>,
}

/// The state of the whole; or the first page that there is for who asks.
pub async fn show(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let outcome = shown(&request, &state).await;
    answered(&request, &state, outcome).await
}

async fn shown(request: &HttpRequest, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = visitor(request, state).await?;
    if visitor.actor().require_seeing_resource_servers().is_err() {
        return Ok(see_other(state, visitor.frame.home()));
    }
    let wanted = query(request, "range");
    let range = Range::ALL.into_iter().find(|range| Some(range.name()) == wanted.as_deref()).unwrap_or(Range::Hour);
    let overview = state.authority.overview(visitor.actor(), range.minutes().0).await?;
    let steps = steps(&visitor, state, !overview.services.services.is_empty()).await?;
    Ok(html(StatusCode::OK, &page(visitor.frame, range, overview, steps)))
}

/// The numbers of the overview, for a page that stays open. This request does not count as a use of the session.
pub async fn numbers(request: HttpRequest, state: Data<State>) -> HttpResponse {
    match counted(&request, &state).await {
        Ok(response) => response,
        Err(error) => script_answer(error.status_for_scripts()),
    }
}

async fn counted(request: &HttpRequest, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = silent_visitor(request, state).await?;
    visitor.actor().require_seeing_resource_servers()?;
    let overview = state.authority.overview(visitor.actor(), 1).await?;
    let page = page(visitor.frame, Range::Hour, overview, Vec::new());
    let texts = page.frame.texts;
    let services = fl!(texts, "of-all", count = page.refusing, all = page.services);
    let denylist = fl!(texts, "number", count = page.denylist);
    let numbers = serde_json::json!({ "live": page.live, "services": services, "denylist": denylist });
    record_read(request, state, StatusCode::OK).await?;
    let mut response = HttpResponse::Ok();
    no_store(&mut response);
    Ok(response.json(numbers))
}

fn page(frame: Frame, range: Range, overview: Overview, steps: Vec<Step>) -> OverviewPage {
    let texts = frame.texts;
    let live = match overview.live_sessions {
        (count, true) => fl!(texts, "number", count = count),
        (count, false) => fl!(texts, "at-least", count = count),
    };
    let current = overview.keys.iter().find(|(key, state)| *state == "current" && key.purpose == KeyPurpose::Sign);
    let key = current.map(|(key, _)| frame.when(key.sign_from));
    let attention = overview.attention.into_iter().map(|one| AttentionRow::new(&frame, one)).collect();
    let services = overview.services;
    let refusing = services.services.iter().filter(|one| one.standing == Standing::Applied).count();
    OverviewPage {
        plots: plots(&frame, range, &overview.series),
        live,
        denylist: overview.denylist,
        refusing,
        services: services.services.len(),
        key,
        attention,
        steps,
        range,
        frame,
    }
}

/// What is counted of a minute.
type Counted = fn(&Activity) -> i64;

fn plots(frame: &Frame, range: Range, series: &[(i64, Activity)]) -> Vec<Plot> {
    let texts = frame.texts;
    let counted: [(String, Counted); 4] = [
        (fl!(texts, "logins"), |activity| activity.logins),
        (fl!(texts, "login-failures"), |activity| activity.login_failures),
        (fl!(texts, "refreshes"), |activity| activity.refreshes),
        (fl!(texts, "revocations"), |activity| activity.revocations),
    ];
    let plot = |(title, count): (String, Counted)| {
        let minutes: Vec<_> = series.iter().map(|(minute, activity)| (*minute, count(activity))).collect();
        let steps = in_steps(&minutes, range.minutes().1);
        Plot::new(title, steps.into_iter().map(|(minute, count)| (frame.when(minute * 60).exact, count)).collect())
    };
    counted.map(plot).into()
}

impl AttentionRow {
    fn new(frame: &Frame, one: Attention) -> Self {
        let texts = frame.texts;
        let (title, advice) = match one.kind {
            "database_refuses_changes" => {
                (fl!(texts, "attention-database-refuses"), fl!(texts, "attention-database-refuses-advice"))
            }
            "database_lost_changes" => {
                (fl!(texts, "attention-database-lost"), fl!(texts, "attention-database-lost-advice"))
            }
            "clock_changed" => (fl!(texts, "attention-clock"), fl!(texts, "attention-clock-advice")),
            "event_lines_lost" => (fl!(texts, "attention-event-lines"), fl!(texts, "attention-event-lines-advice")),
            "key_old" => (fl!(texts, "attention-key-old"), fl!(texts, "attention-key-old-advice")),
            "secret_expires" => (fl!(texts, "attention-secret"), fl!(texts, "attention-secret-advice")),
            "job_failed" => (fl!(texts, "attention-job"), fl!(texts, "attention-job-advice")),
            "service_behind" => (fl!(texts, "attention-behind"), fl!(texts, "attention-behind-advice")),
            "service_accepts_stale" => (fl!(texts, "attention-stale"), fl!(texts, "attention-stale-advice")),
            "services_unnamed" => (fl!(texts, "attention-unnamed"), fl!(texts, "attention-unnamed-advice")),
            "servers_silent" => (fl!(texts, "attention-silent"), fl!(texts, "attention-silent-advice")),
            other => (other.to_owned(), one.detail),
        };
        let (subject, language) = match one.kind {
            "database_refuses_changes" | "database_lost_changes" => (one.subject, "en"),
            "job_failed" => {
                (JobKind::parse(&one.subject).map(|kind| kind_text(texts, kind)).unwrap_or(one.subject), "")
            }
            _ => (one.subject, ""),
        };
        Self { title, subject, language, advice, since: one.since.map(|at| frame.when(at)) }
    }
}
