//! What a user agent is, in words: browser and system.

use woothee::parser::Parser;

/// Such as "Firefox, Windows 10"; what the parser does not know is told as far as its first words.
pub fn device(user_agent: Option<&str>) -> Option<String> {
    let text = user_agent?.trim();
    if text.is_empty() {
        return None;
    }
    if let Some(known) = Parser::new().parse(text)
        && known.name != "UNKNOWN"
    {
        let system = Some(known.os).filter(|os| *os != "UNKNOWN");
        return Some(match system {
            Some(system) => format!("{}, {system}", known.name),
            None => known.name.to_owned(),
        });
    }
    // A program's own name, such as "notes-sync/2.1".
    Some(text.split_whitespace().next().unwrap_or(text).chars().take(60).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_and_programs_are_named() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        assert_eq!(device(Some(firefox)).as_deref(), Some("Firefox, Linux"));
        let iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                      Version/18.1 Mobile/15E148 Safari/604.1";
        assert_eq!(device(Some(iphone)).as_deref(), Some("Safari, iPhone"));
        assert_eq!(device(Some("notes-sync/2.1 (by hand)")).as_deref(), Some("notes-sync/2.1"));
        assert_eq!((device(Some("  ")), device(None)), (None, None));
    }
}
