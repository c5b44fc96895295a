//! `store.url_file`: reads the database's URL from a file, for secrets that are mounted as files.

use std::fs;
use std::path::Path;

use zeroize::Zeroizing;

use super::error::ConfigProblem;
use super::layer::Layer;
use super::raw::Raw;
use super::setting::{Is, Setting};
use super::values::StoreUrl;

const FILE: &str = "store.url_file";
const URL: &str = "store.url";

/// Replaces `store.url` with the content of the file, if a file is named.
///
/// Setting both is refused, whichever came later: it must always be clear which database is used.
pub fn read(raw: &mut Raw, merged: &mut Layer) -> Result<(), ConfigProblem> {
    let Some(Is(path)) = &raw.store.url_file else { return Ok(()) };
    let file_origin = merged.origin(FILE).unwrap_or_default().to_owned();
    if let Some(url_origin) = merged.origin(URL).filter(|origin| *origin != Layer::BUILT_IN) {
        return Err(ConfigProblem::UrlAndFile { url: url_origin.to_owned(), file: file_origin });
    }
    let url = url_in(path).map_err(|problem| ConfigProblem::BadValue {
        key: FILE.into(),
        problem: format!("names {}, which {problem}", path.display()),
        origin: file_origin,
    })?;
    merged.set_origin(URL, &format!("from the file {}", path.display()));
    raw.store.url = Is(url);
    Ok(())
}

/// Whitespace around the URL is ignored: most tools end a file with a newline.
fn url_in(path: &Path) -> Result<StoreUrl, String> {
    let text = fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(|error| format!("can't be read: {error}"))?;
    // The content may be a password, so it is not repeated.
    StoreUrl::from_text(text.trim()).ok_or_else(|| format!("must contain {}", StoreUrl::wanted()))
}
