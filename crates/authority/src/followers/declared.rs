//! What a follower says about itself with each poll.

/// The longest name, in bytes.
const LONGEST: usize = 64;
/// The longest lease that is believed, in seconds.
const LONGEST_LEASE: u64 = 86_400;

/// What a follower says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The service that it is part of.
    pub service: String,
    /// Which instance of the service it is: unique per follower.
    pub instance: String,
    /// How long it relies on an answer, in seconds, counted from when it sent the poll.
    pub lease_seconds: Option<u64>,
    /// True if it goes on accepting tokens after that.
    pub accepts_stale: bool,
    /// The version of what it runs.
    pub version: Option<String>,
}

/// The parameters, as they are in the query.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parameters<'a> {
    /// `service`
    pub service: Option<&'a str>,
    /// `instance`
    pub instance: Option<&'a str>,
    /// `lease`
    pub lease: Option<&'a str>,
    /// `stale`
    pub stale: Option<&'a str>,
    /// `version`
    pub version: Option<&'a str>,
}

impl Declared {
    /// `None` if the follower does not name itself. An error says what is wrong.
    pub fn parse(parameters: Parameters<'_>) -> Result<Option<Self>, &'static str> {
        let Parameters { service, instance, lease, stale, version } = parameters;
        let accepts_stale = match stale {
            None | Some("refuse") => false,
            Some("accept") => true,
            Some(_) => return Err("stale must be refuse or accept"),
        };
        let lease_seconds = match lease {
            None => None,
            Some(text) => Some(seconds(text).ok_or("lease must be a whole number of seconds from 1 to 86400")?),
        };
        if ![service, instance, version].into_iter().flatten().all(is_name) {
            return Err("service, instance and version must be 1 to 64 of the characters A-Z a-z 0-9 . _ : -");
        }
        match (service, instance) {
            (None, None) => Ok(None),
            (Some(service), Some(instance)) => Ok(Some(Self {
                service: service.to_owned(),
                instance: instance.to_owned(),
                lease_seconds,
                accepts_stale,
                version: version.map(str::to_owned),
            })),
            (Some(_), None) => Err("instance must be given beside service; it must be unique per follower"),
            (None, Some(_)) => Err("service must be given beside instance"),
        }
    }
}

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-');
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(allowed)
}

fn seconds(text: &str) -> Option<u64> {
    // `u64::from_str` accepts a plus sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|seconds| digits && (1..=LONGEST_LEASE).contains(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMED: Parameters<'_> =
        Parameters { service: Some("notes"), instance: Some("a:1"), lease: None, stale: None, version: None };

    #[test]
    fn a_follower_names_itself_with_both_names_or_not_at_all() {
        assert_eq!(Declared::parse(Parameters::default()), Ok(None));
        assert_eq!(Declared::parse(NAMED).unwrap().unwrap().instance, "a:1");
        assert!(Declared::parse(Parameters { instance: None, ..NAMED }).is_err());
        assert!(Declared::parse(Parameters { service: None, ..NAMED }).is_err());
        let long = "x".repeat(65);
        for bad in ["a b", "a/b", "é", "a\n", "a=b", &long] {
            assert!(Declared::parse(Parameters { instance: Some(bad), ..NAMED }).is_err(), "{bad:?}");
            assert!(Declared::parse(Parameters { service: Some(bad), ..NAMED }).is_err(), "{bad:?}");
            assert!(Declared::parse(Parameters { version: Some(bad), ..NAMED }).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_lease_is_a_whole_number_of_seconds_and_stale_one_of_two_words() {
        let lease = |text| Declared::parse(Parameters { lease: Some(text), ..NAMED }).map(|said| said.unwrap());
        assert_eq!(lease("30").unwrap().lease_seconds, Some(30));
        for bad in ["0", "-1", "+1", "1.5", "86401", "x"] {
            assert!(lease(bad).is_err(), "{bad:?}");
        }
        let stale = |text| Declared::parse(Parameters { stale: Some(text), ..NAMED }).map(|said| said.unwrap());
        assert_eq!((stale("refuse").unwrap().accepts_stale, stale("accept").unwrap().accepts_stale), (false, true));
        assert!(stale("Accept").is_err());
    }
}
