//! What the fuzz targets assert. Each function takes any bytes and panics where a promise is broken.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ficha_authority::ClientCredentials;
use ficha_authority::fuzzing::RefreshToken;
use ficha_password::lockstep::{Lanes, MAX_LANES};
use ficha_password::{HashFormat, StoredHash};
use ficha_server::fuzzing::{Form, header_credentials};
use ficha_token::{
    AccessClaims, Algorithm, DenyPage, DenySet, Expected, JwkSet, SignError, SigningKey, TokenError, Unverified,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

/// A time within the life of the seeds' tokens.
const NOW: i64 = 1_800_000_000;
const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";
const KID: &str = "k";

/// A form body means what another reader of forms takes it for, or is refused for a reason.
pub fn form(data: &[u8]) {
    let mut reference = HashMap::new();
    let mut is_repeated = false;
    let mut is_replaced = false;
    for (name, value) in form_urlencoded::parse(data) {
        is_replaced |= name.contains(char::REPLACEMENT_CHARACTER) || value.contains(char::REPLACEMENT_CHARACTER);
        is_repeated |= reference.insert(name.into_owned(), value.into_owned()).is_some();
    }
    match Form::parse(data) {
        Ok(form) => {
            assert!(!is_repeated, "a repeated parameter was taken");
            for (name, value) in &reference {
                let expected = Some(value.as_str()).filter(|value| !value.is_empty());
                assert_eq!(form.get(name), expected, "{name:?}");
            }
        }
        Err(_) => assert!(is_repeated || is_replaced, "refused without a reason"),
    }
}

/// What a Basic header says reads the same when it is written anew.
pub fn basic(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let Some((id, secret)) = read_basic(value) else { return };
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let text = format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(&id), encode(&secret))));
    let value = HeaderValue::from_str(&text).expect("base64 fits a header");
    assert_eq!(read_basic(value), Some((id, secret)));
}

fn read_basic(value: HeaderValue) -> Option<(String, String)> {
    let mut headers = HeaderMap::new();
    headers.append(AUTHORIZATION, value);
    match header_credentials(&headers).ok()? {
        ClientCredentials::None => Some((String::new(), String::new())),
        ClientCredentials::Public(id) => Some((id, String::new())),
        ClientCredentials::Secret(id, secret) => Some((id, secret.expose().to_owned())),
    }
}

/// A refresh token has one text; another key's, or one changed character, is worth nothing.
pub fn refresh_token(data: &[u8]) {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]);
    let check = |text: &str| RefreshToken::parse(text).and_then(|unchecked| unchecked.check(&key));
    if let Ok(text) = std::str::from_utf8(data)
        && let Some(token) = check(text)
    {
        assert_eq!(token.seal(&key).expose(), text, "a second text of one token");
    }
    let Some((bytes, rest)) = data.split_first_chunk::<28>() else { return };
    let token = RefreshToken {
        key_id: i32::from_be_bytes(bytes[..4].try_into().expect("4 bytes")),
        session: Uuid::from_bytes(bytes[4..20].try_into().expect("16 bytes")),
        generation: i64::from_be_bytes(bytes[20..].try_into().expect("8 bytes")),
    };
    let text = token.seal(&key);
    assert_eq!(check(text.expose()), Some(token));
    let other = hmac::Key::new(hmac::HMAC_SHA256, &[2; 32]);
    assert!(RefreshToken::parse(text.expose()).is_some_and(|unchecked| unchecked.check(&other).is_none()));
    if let Some(changed) = change(text.expose(), rest) {
        assert_eq!(check(&changed), None, "{changed}");
    }
}

/// Any text; or, with a line break in it, a header and claims that are then signed, so that what stands behind the
/// signature is reached.
pub fn jwt(data: &[u8]) {
    let key = SigningKey::from_secret(SECRET, KID.to_owned()).expect("a key");
    let token = match data.iter().position(|byte| *byte == b'\n') {
        None => match std::str::from_utf8(data) {
            Ok(text) => text.to_owned(),
            Err(_) => return,
        },
        Some(end) => {
            let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
            let signed = format!("{}.{}", encode(&data[..end]), encode(&data[end + 1..]));
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), signed.as_bytes());
            format!("{signed}.{}", encode(tag.as_ref()))
        }
    };
    let Ok(claims) = read(&key, &token) else { return };

    // What is read is what would be signed.
    match key.sign(&claims) {
        Ok(again) => assert_eq!(read(&key, &again).as_ref(), Ok(&claims)),
        Err(SignError::TooLong) => {}
        Err(error) => panic!("read, but can't be signed: {error}"),
    }
    if let Some(changed) = change(&token, data) {
        assert!(read(&key, &changed).is_err(), "{changed}");
    }
    let expected = Expected::new("https://auth.example.com", ["notes"], [Algorithm::HS256]);
    let unverified = Unverified::parse(&token).expect("it was read before");
    if let Ok(claims) = unverified.verify(&key.verifying_key(), &expected, NOW) {
        assert_eq!(claims.iss, expected.issuer);
        assert!(claims.aud.contains(&expected.audiences[0]) && claims.exp > NOW && claims.nbf.unwrap_or(0) <= NOW);
    }
}

fn read(key: &SigningKey, token: &str) -> Result<AccessClaims, TokenError> {
    Unverified::parse(token)?.verify_signature(&key.verifying_key())
}

/// Another text: `text` with one character replaced, as `choice` says.
fn change(text: &str, choice: &[u8]) -> Option<String> {
    const CHARACTERS: &[u8; 66] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=";
    let [first, second, third, ..] = choice else { return None };
    let mut bytes = text.as_bytes().to_vec();
    let at = usize::from(u16::from_be_bytes([*first, *second])) % bytes.len();
    bytes[at] = CHARACTERS[usize::from(*third) % CHARACTERS.len()];
    String::from_utf8(bytes).ok().filter(|changed| changed != text)
}

/// A key set yields public keys only, each under a name of its own, and the same ones when it is written anew.
pub fn jwks(data: &[u8]) {
    let Ok((keys, problems)) = JwkSet::parse(data) else { return };
    assert!(keys.len() + problems.len() <= 100);
    for (index, key) in keys.iter().enumerate() {
        let is_shared = matches!(key.algorithm(), Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512);
        assert!(!is_shared, "a secret out of a public key set");
        assert!((1..=256).contains(&key.kid().len()));
        assert!(keys[..index].iter().all(|other| other.kid() != key.kid()), "two keys of one name");
    }
    if let Ok(set) = serde_json::from_slice::<JwkSet>(data) {
        let text = serde_json::to_vec(&set).expect("it can be written");
        let (again, _) = JwkSet::parse(&text).expect("it can be read again");
        assert!(again == keys, "other keys after writing");
    }
}

/// A page reads the same when it is written anew, and after it was added the set denies what it says, as long as it says.
pub fn deny_page(data: &[u8]) {
    // As crates/resource/src/remote/feed.rs reads it.
    let Ok(page) = serde_json::from_slice::<DenyPage>(data) else { return };
    let text = serde_json::to_vec(&page).expect("it can be written");
    assert_eq!(serde_json::from_slice::<DenyPage>(&text).expect("it can be read again"), page);
    if page.entries.is_empty() {
        return;
    }
    let set = DenySet::new();
    let mut latest = HashMap::new();
    for entry in &page.entries {
        set.insert(*entry);
        let until = latest.entry(entry.id).or_insert(entry.until);
        *until = entry.until.max(*until);
    }
    let check = |set: &DenySet| {
        for (id, until) in &latest {
            assert_eq!(set.contains(id, NOW), *until > NOW, "{id:?} until {until}");
        }
    };
    check(&set);
    set.purge(NOW);
    check(&set);
}

/// A hash that is read is kept as it is, and plain bcrypt's parts are those that the `bcrypt` crate finds.
pub fn stored_hash(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(hash) = StoredHash::parse(text) else { return };
    assert_eq!((hash.as_str(), hash.to_string().as_str()), (text, text));
    let again = StoredHash::parse(hash.as_str()).expect("it was read before");
    assert_eq!((again.format(), again.cost()), (hash.format(), hash.cost()));
    assert_eq!(hash.cost().is_none(), hash.format() == HashFormat::Argon2id);
    assert!(hash.cost().is_none_or(|cost| (4..=31).contains(&cost)));
    if hash.format() == HashFormat::Bcrypt {
        let plain = text.strip_prefix("bcrypt$").unwrap_or(text);
        let parts: bcrypt::HashParts = plain.parse().expect("the bcrypt crate reads it too");
        assert_eq!(Some(parts.get_cost()), hash.cost());
    }
}

/// Hashes in lockstep equal the `bcrypt` crate's, in any number of lanes and slices, and whenever each joins.
///
/// The first byte is the number of lanes, the second the length of a slice; then, for each hash, the turns that the
/// others are ahead, the salt, the length of the password, and the password.
pub fn lockstep(data: &[u8]) {
    const COST: u32 = 4;
    let [lanes, slice, rest @ ..] = data else { return };
    let width = 1 + usize::from(*lanes) % MAX_LANES;
    let slice = 1 + u64::from(*slice) % 40;
    let jobs = jobs(rest);
    let mut made = vec![None; jobs.len()];
    let mut lanes = Lanes::new();
    let mut waiting = jobs.iter().enumerate().peekable();
    let mut ahead = 0;
    while waiting.peek().is_some() || !lanes.is_empty() {
        while lanes.len() < width
            && let Some((index, job)) = waiting.next_if(|(_, job)| job.late <= ahead || lanes.is_empty())
        {
            lanes.join(&job.key, &job.salt, 1 << COST, index).expect("a free lane");
            ahead = 0;
        }
        ahead += lanes.run(slice);
        while let Some((index, digest)) = lanes.take_finished() {
            made[index] = Some(digest);
        }
    }
    for (job, made) in jobs.iter().zip(made) {
        let expected = bcrypt::bcrypt(COST, job.salt, &job.key);
        assert_eq!(made.as_ref().map(<[u8; 23]>::as_slice), Some(&expected[..23]), "{job:?}");
    }
}

#[derive(Debug)]
struct Job {
    late: u64,
    salt: [u8; 16],
    key: Vec<u8>,
}

/// At most eight hashes.
fn jobs(mut data: &[u8]) -> Vec<Job> {
    let mut jobs = Vec::new();
    while let Some(([late, salt @ .., length], rest)) = data.split_first_chunk::<18>()
        && jobs.len() < 8
    {
        let (password, rest) = rest.split_at(rest.len().min(usize::from(*length) % 73));
        let key = password.iter().copied().chain([0]).take(72).collect();
        jobs.push(Job { late: u64::from(*late) % 20, salt: *salt, key });
        data = rest;
    }
    jobs
}
