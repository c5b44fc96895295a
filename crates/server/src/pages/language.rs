//! Which language a page is in.

use actix_web::HttpRequest;
use actix_web::http::header::ACCEPT_LANGUAGE;

/// A language that the pages are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    English,
    Spanish,
}

impl Language {
    /// All of them, with their names in themselves.
    pub const ALL: [(Self, &'static str); 2] = [(Self::English, "English"), (Self::Spanish, "Español")];

    /// The other ones, with their names.
    pub fn others(self) -> impl Iterator<Item = (Self, &'static str)> {
        Self::ALL.into_iter().filter(move |(language, _)| *language != self)
    }

    /// Its tag (BCP 47).
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
        }
    }

    /// The language of a tag, whatever region it names.
    pub fn parse(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().map(|(language, _)| language).find(|known| known.tag().eq_ignore_ascii_case(primary))
    }

    /// The language that a browser prefers most of those that there are (RFC 9110 §12.5.4).
    pub fn preferred(request: &HttpRequest) -> Option<Self> {
        let header = request.headers().get(ACCEPT_LANGUAGE)?.to_str().ok()?;
        let mut best: Option<(Self, f32)> = None;
        for range in header.split(',').take(20) {
            let mut parts = range.split(';');
            let Some(language) = Self::parse(parts.next().unwrap_or_default().trim()) else { continue };
            let quality = parts.find_map(|part| part.trim().strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
            if quality > best.map_or(0.0, |(_, best)| best) {
                best = Some((language, quality));
            }
        }
        best.map(|(language, _)| language)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_most_preferred_language_is_used() {
        for (header, expected) in [
            ("es-AR,es;q=0.9,en;q=0.8", Some(Language::Spanish)),
            ("de,en;q=0.5,es;q=0.7", Some(Language::Spanish)),
            ("EN-gb", Some(Language::English)),
            ("de, fr", None),
            ("es;q=0", None),
            ("es;q=x", Some(Language::Spanish)),
            ("", None),
        ] {
            let request = TestRequest::default().insert_header((ACCEPT_LANGUAGE, header)).to_http_request();
            assert_eq!(Language::preferred(&request), expected, "{header}");
        }
    }
}
