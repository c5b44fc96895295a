//! The style and the scripts of the pages, in the binary. Their names contain a hash of their content, so that a browser
//! may keep them for ever.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH};
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use aws_lc_rs::digest::{SHA256, digest};
use rust_embed::RustEmbed;

use crate::error::ApiError;

#[derive(RustEmbed)]
#[folder = "assets"]
struct Files;

/// A file: its name with the hash, its type, and its content.
struct File {
    plain: String,
    hashed: String,
    kind: &'static str,
    content: Vec<u8>,
}

static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    // A script that imports another one by its plain name comes after it, and then has the name with the hash.
    let mut names: Vec<String> = Files::iter().map(Into::into).collect();
    names.sort_unstable_by_key(|name| (name == SCRIPT, name.clone()));
    names.into_iter().fold(Vec::new(), |mut files, name| {
        files.extend(load(name, &files));
        files
    })
});

/// The script that every page has; it imports the others.
const SCRIPT: &str = "page.mjs";

fn load(name: String, before: &[File]) -> Option<File> {
    let mut content = Files::get(&name)?.data.into_owned();
    let (stem, extension) = name.rsplit_once('.')?;
    if extension == "mjs" {
        let text = String::from_utf8(content).ok()?;
        let import = |file: &File| (format!("\"./{}\"", file.plain), format!("\"./{}\"", file.hashed));
        let text = before.iter().map(import).fold(text, |text, (plain, hashed)| text.replace(&plain, &hashed));
        content = text.into_bytes();
    }
    let hash = digest(&SHA256, &content);
    let hash: String = hash.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let kind = match extension {
        "css" => "text/css; charset=utf-8",
        "mjs" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => return None,
    };
    Some(File { hashed: format!("{stem}-{hash}.{extension}"), kind, content, plain: name })
}

/// The paths of the files.
#[derive(Clone)]
pub struct Assets {
    pub style: String,
    pub script: String,
    pub icon: String,
}

impl Assets {
    /// Below the issuer's path.
    pub fn below(base: &str) -> Self {
        let path = |name: &str| {
            let file = FILES.iter().find(|file| file.plain == name);
            format!("{base}/assets/{}", file.map_or(name, |file| &file.hashed))
        };
        Self { style: path("style.css"), script: path(SCRIPT), icon: path("icon.svg") }
    }
}

/// One of the files.
pub async fn file(request: HttpRequest, name: Path<String>) -> Result<HttpResponse, ApiError> {
    let file = FILES.iter().find(|file| file.hashed == *name).ok_or(ApiError::NotFound)?;
    let etag = format!("\"{}\"", file.hashed);
    let is_known = request.headers().get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes());
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((ETAG, etag))
        .insert_header((
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        ));
    if is_known {
        return Ok(response.finish());
    }
    Ok(response.insert_header((CONTENT_TYPE, file.kind)).body(file.content.clone()))
}
