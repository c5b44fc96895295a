//! `/console/import-users`: a file of users, which a job creates.

use actix_multipart::{Field, Multipart};
use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use ficha_authority::{AdminError, ImportFormat, JobState};
use futures_util::{StreamExt, TryStreamExt};
use i18n_embed_fl::fl;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::api::import::{MOST_BYTES, in_time, read, turn};
use crate::api::problem::Problem;
use crate::pages::answer::{PageError, answered, html};
use crate::pages::confirm::{AGAIN, Who, who};
use crate::pages::form_guard::{TOKEN, require_token, sender};
use crate::pages::frame::Frame;
use crate::pages::reasons::{Reason, refusal};
use crate::pages::visitor::{Visitor, visitor};
use crate::pages::{cookies, see_other};
use crate::state::State;

/// The longest field besides the file, in bytes.
const MOST_FIELD: usize = 4_096;

#[derive(Template)]
#[template(path = "user_import.html")]
struct ImportPage {
    frame: Frame,
    /// The job that it will be: sent twice, it is one.
    job: Uuid,
    asks_password: bool,
    error: Reason,
}

/// The form.
pub async fn form(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let outcome = shown(&request, &state).await;
    answered(&request, &state, outcome).await
}

async fn shown(request: &HttpRequest, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = visitor(request, state).await?;
    visitor.actor().require_changing_users()?;
    let asks_password = !matches!(who(request, state, &visitor, None).await?, Who::Known(_));
    Ok(page(&visitor, state, StatusCode::OK, asks_password, Reason::default()))
}

fn page(visitor: &Visitor, state: &State, status: StatusCode, asks_password: bool, error: Reason) -> HttpResponse {
    let job = state.authority.admin().new_job_id();
    html(status, &ImportPage { frame: visitor.frame.clone(), job, asks_password, error })
}

/// Accepts the file as a job, and shows that.
pub async fn import(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let outcome = imported(&request, payload, &state).await;
    answered(&request, &state, outcome).await
}

/// What the form sends before the file.
#[derive(Default)]
struct Fields {
    token: Option<Zeroizing<String>>,
    job: Option<Uuid>,
    password: Option<Zeroizing<String>>,
}

async fn imported(request: &HttpRequest, payload: Payload, state: &State) -> Result<HttpResponse, PageError> {
    let visitor = sender(request, state).await?;
    visitor.actor().require_changing_users()?;
    let mut parts = Multipart::new(request.headers(), payload);
    let (fields, file) = in_time(before_file(&mut parts)).await?;
    // Before any of the file is read.
    require_token(state, &visitor, fields.token.as_ref().map(|text| text.as_str())).await?;
    let known = who(request, state, &visitor, fields.password.as_ref().map(|text| text.as_str())).await?;
    let texts = visitor.frame.texts;
    let why = match known {
        Who::Known(proof) => {
            // Whatever becomes of the file, the password was typed.
            let accepted = accepted(&visitor, state, fields.job, file).await;
            let mut response = answered(request, state, accepted).await;
            cookies::attach(&mut response, [proof]);
            return Ok(response);
        }
        Who::Unknown => fl!(texts, "password-for-import"),
        Who::Wrong => fl!(texts, "wrong-password-again"),
    };
    passed_over(file).await;
    Ok(page(&visitor, state, StatusCode::FORBIDDEN, true, why.into()))
}

/// Reads a file to its end, and forgets it: browsers show an answer only when they have sent everything.
async fn passed_over(file: Option<Field>) {
    let Some(mut file) = file else { return };
    let reading = async {
        let mut left = MOST_BYTES;
        while let Some(Ok(part)) = file.next().await {
            left = left.saturating_sub(part.len());
            if left == 0 {
                break;
            }
        }
        Ok::<_, Problem>(())
    };
    let _ = in_time(reading).await;
}

async fn accepted(
    visitor: &Visitor,
    state: &State,
    job: Option<Uuid>,
    file: Option<Field>,
) -> Result<HttpResponse, PageError> {
    let (actor, admin, texts) = (visitor.actor(), state.authority.admin(), visitor.frame.texts);
    let name = file.as_ref().and_then(|file| file.content_disposition()?.get_filename()).unwrap_or_default();
    let format = format_of(name);
    let (format, file) = match (format, file) {
        (Some(format), Some(file)) => (format, file),
        (_, file) => {
            passed_over(file).await;
            return Ok(page(visitor, state, StatusCode::BAD_REQUEST, false, fl!(texts, "import-file-name").into()));
        }
    };
    let Ok(_turn) = turn().await else {
        passed_over(Some(file)).await;
        let (title, advice) = (fl!(texts, "another-import"), fl!(texts, "another-import-advice"));
        return Err(PageError::Told(StatusCode::SERVICE_UNAVAILABLE, title, advice));
    };
    // The time is for reading alone: what is written down is written down completely.
    let file = in_time(read(file)).await?;
    let job = job.unwrap_or_else(|| admin.new_job_id());
    let shown = format!("/console/jobs/{job}");
    // Sent twice: it is the same job, unless it was not written down completely.
    if admin.job(actor, job).await.is_ok_and(|found| found.job.state != JobState::Receiving) {
        return Ok(see_other(state, &shown));
    }
    match admin.import_users_as(actor, job, format, file).await {
        Ok(job) => {
            admin.spawn_job(job);
            Ok(see_other(state, &shown))
        }
        Err(error @ AdminError::Conflict(_)) => Err(error.into()),
        Err(error) => {
            let (status, why) = refusal(texts, error, fl!(texts, "import-refused"))?;
            Ok(page(visitor, state, status, false, why))
        }
    }
}

/// The format that a file's name tells.
fn format_of(name: &str) -> Option<ImportFormat> {
    let (_, extension) = name.rsplit_once('.')?;
    match extension.to_ascii_lowercase().as_str() {
        "csv" => Some(ImportFormat::Csv),
        "jsonl" | "ndjson" => Some(ImportFormat::JsonLines),
        _ => None,
    }
}

/// The fields up to the file, which is the last.
async fn before_file(parts: &mut Multipart) -> Result<(Fields, Option<Field>), PageError> {
    let mut fields = Fields::default();
    while let Some(field) = parts.try_next().await.map_err(malformed)? {
        match field.name() {
            Some("file") => return Ok((fields, Some(field))),
            Some(TOKEN) => fields.token = Some(text(field).await?),
            Some("job") => fields.job = text(field).await?.parse().ok(),
            Some(AGAIN) => fields.password = Some(text(field).await?).filter(|text| !text.is_empty()),
            // What scripts, or a browser's extensions, add.
            _ => drop(text(field).await?),
        }
    }
    Ok((fields, None))
}

async fn text(mut field: Field) -> Result<Zeroizing<String>, PageError> {
    let mut bytes = Zeroizing::new(Vec::new());
    while let Some(part) = field.next().await {
        bytes.extend_from_slice(&part.map_err(malformed)?);
        if bytes.len() > MOST_FIELD {
            return Err(PageError::invalid("form"));
        }
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| PageError::invalid("form"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn malformed(error: actix_multipart::MultipartError) -> PageError {
    tracing::debug!(%error, "an upload could not be read");
    PageError::invalid("form")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_tells_its_format() {
        assert_eq!(format_of("people.CSV"), Some(ImportFormat::Csv));
        assert_eq!(format_of("a.b.jsonl"), Some(ImportFormat::JsonLines));
        assert_eq!([format_of("csv"), format_of("people.xlsx"), format_of("")], [None; 3]);
    }
}
