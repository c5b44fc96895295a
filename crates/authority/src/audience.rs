//! The names of services in tokens (`aud`, RFC 7519 §4.1.3): a text, or a URI.

use url::Url;

/// The longest audience, in bytes.
const MOST: usize = 256;

/// Why a text can't be an audience. Services compare `aud` as text, and some write a URL in its normal form.
pub fn check_audience(text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > MOST {
        return Err("must have 1 to 256 bytes".into());
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("must not contain spaces or line breaks".into());
    }
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => {
            if url.fragment().is_some() {
                return Err("must not have a fragment (RFC 8707 section 2)".into());
            }
            let normal = url.as_str();
            if normal.trim_end_matches('/') != text.trim_end_matches('/') {
                return Err(format!("is a URL that is not in its normal form, {normal:?}"));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_that_a_service_would_write_otherwise_is_refused() {
        for good in ["notes", "https://notes.example.com", "https://notes.example.com/", "urn:example:Notes", "00123"] {
            assert_eq!(check_audience(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "notes\n",
            "a b",
            "https://NOTES.example.com",
            "https:\\\\notes.example.com",
            "https://notes.example.com:443",
            "https://ñ.example",
            "https://notes.example.com#x",
            "https://notes.example.com/a/../b",
        ] {
            assert!(check_audience(bad).is_err(), "{bad:?}");
        }
    }
}
