//! What has happened, as a page: with the services that refuse what was ended, and what is shown only once.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use ficha_authority::{Began, Secret};
use i18n_embed_fl::fl;

use super::answer::html;
use super::console::receipt::{ReceiptView, receipt_of};
use super::frame::Frame;
use crate::state::State;

#[derive(Template)]
#[template(path = "done.html")]
struct DonePage {
    frame: Frame,
    title: String,
    note: String,
    secret: Option<ShownOnce>,
    receipt: Option<ReceiptView>,
    back: String,
}

/// Something that is shown only once.
pub struct ShownOnce {
    pub label: String,
    pub value: String,
    pub warning: String,
}

impl ShownOnce {
    /// A client's secret.
    pub fn client_secret(frame: &Frame, secret: &Secret) -> Self {
        let texts = frame.texts;
        let (label, warning) = (fl!(texts, "client-secret"), fl!(texts, "secret-once"));
        Self { label, value: secret.expose().to_owned(), warning }
    }

    /// A password for one use.
    pub fn password(frame: &Frame, secret: &Secret) -> Self {
        let texts = frame.texts;
        let (label, warning) = (fl!(texts, "one-time-password"), fl!(texts, "password-once"));
        Self { label, value: secret.expose().to_owned(), warning }
    }
}

/// What has happened.
pub struct Done {
    pub title: String,
    pub note: String,
    pub secret: Option<ShownOnce>,
    /// Where one goes from here, without the base.
    pub back: String,
}

impl Done {
    /// The page.
    pub fn page(self, frame: Frame) -> HttpResponse {
        self.with(frame, None)
    }

    /// The page, with who refuses what has ended since `began`.
    pub async fn page_with_receipt(
        self,
        request: &HttpRequest,
        state: &State,
        frame: Frame,
        began: Began,
    ) -> HttpResponse {
        let receipt = receipt_of(request, state, &frame, began).await;
        self.with(frame, Some(receipt))
    }

    fn with(self, frame: Frame, receipt: Option<ReceiptView>) -> HttpResponse {
        let Self { title, note, secret, back } = self;
        html(StatusCode::OK, &DonePage { frame, title, note, secret, receipt, back })
    }
}
