//! Hashes from other systems: every one that matches here was written by passlib 1.7.4, Django 5 or argon2-cffi.

use ficha_password::HashFormat::{self, Argon2id, Bcrypt, BcryptSha256V1, BcryptSha256V2, DjangoBcryptSha256};
use ficha_password::{Cost, HashFormatError, Hashing, HashingSettings, Password, StoredHash};

const ENGLISH: &str = "correct horse battery staple";
const UNICODE: &str = "pässwörd 密码 🔑";

/// Each with its format and cost.
const OF_ENGLISH: [(&str, HashFormat, Option<u32>); 10] = [
    ("$bcrypt-sha256$v=2,t=2b,r=4$xtGhyIlsUM.SQZcbp8Y3Ne$KdQ9D8pVolCTzqQ9bX3kZ/v1qqaNo.y", BcryptSha256V2, Some(4)),
    ("$bcrypt-sha256$2b,4$CXN1cqBlvV9OXH2R33qzTO$vb.e3CS6Mvw0XMBEF0sQ3jRGfN99YYW", BcryptSha256V1, Some(4)),
    ("$bcrypt-sha256$2a,4$kL1toocg8y678TF67YcXXe$Evn1UpA/0e.lfWytr93tDUmF2JJ0fF.", BcryptSha256V1, Some(4)),
    ("$2b$04$s.2BA/eSMdb2ueeNfURDYOdVyGc/JrdLBPZGNNLri05M9HwgRAX1a", Bcrypt, Some(4)),
    ("$2a$05$ehITUWvc0c7M4h5WkY5GLO5/r.umGu5yaHaIzcRMFSSSfsPxZ64hS", Bcrypt, Some(5)),
    ("$2y$04$SRssJVVPUt.vTluC9LB0pOMEmKhflFIt64yOZWGHFc51iC57wNQKK", Bcrypt, Some(4)),
    ("bcrypt$$2b$04$rTmPKtpIi4B.HREKDg2FbeXYekIfzZuGGw96dJmIAiSjCoTOzPLgG", Bcrypt, Some(4)),
    ("bcrypt_sha256$$2b$04$xEOM/XJp8ptXtdTlcLGFv.s8NzaYKbdt42WaJcAPMf3DBp3IglGCW", DjangoBcryptSha256, Some(4)),
    ("$argon2id$v=19$m=64,t=2,p=2$HsPYG4NQCsGYEyIkJEQopQ$NjJR8rQyKhmnNOJrVC9jBA2K4rEQHg9sbK//iCT7lII", Argon2id, None),
    (
        "argon2$argon2id$v=19$m=64,t=1,p=1$QVU4QTQ1MlBkdTBxYU9IOEZ0Q0d5aw$JPQHZvcgYwoKayQRBe2Bqq8mbpWim0yvPPC2Ffq+p4E",
        Argon2id,
        None,
    ),
];

const OF_UNICODE: [&str; 9] = [
    "$bcrypt-sha256$v=2,t=2b,r=4$HH.MGRHSf4nVdpIo1Q.Nku$fh3z73lKUe9FvRyEvfDoKh1cMd/KeN.",
    "$bcrypt-sha256$2b,4$0p4U9Kf5qZAoC9dcqVomS.$blZ2050sFm2VtA.Wr.JPs4gdATaxhDS",
    "$2b$04$vYwFpAku7/VtjmXaEChHAe09GeUlPO7G5J1B4M4M5e5.3vEj2lKWm",
    "$2a$05$fsX6efoelorSCvSLwVCkZ.61HInLG6ai4LBx5AM0Q2p46fpoddldG",
    "$2y$04$vXeo4FXSJtkRqQhD6tWwOuL16nb/tzh08ciSPbtai6nL/RWzoYxFe",
    "bcrypt$$2b$04$DPRi.nXuVmYbQTwURmoole8FZJv8hU1pyhBU9H93eZBBdx5EunaLa",
    "bcrypt_sha256$$2b$04$fra38nXZkcTN96/lb/y1yOVnXDk9zwJ.4p18bU9mXZQNP8QBJ8qk.",
    "$argon2id$v=19$m=64,t=2,p=2$oPSek3JO6f2fM4YQglCK0Q$IScY1mDbJYkls7u/6mPptzriuDAtuHhlVFvdPBC7APA",
    "argon2$argon2id$v=19$m=64,t=1,p=1$WXE4UUdyc1Fld01FWkx0ZDZXV3NORw$qE+45beenmYpYY9M9PwsfSJwM52k/Fw5/6rM8mGJy2M",
];

/// Hashes of `x` 100 times, which is too long for plain bcrypt.
const OF_100_X: [&str; 5] = [
    "$bcrypt-sha256$v=2,t=2b,r=4$Ukt70ZT6qTaUvT5PDSePS.$TZA5Jn1yPMetfQlhCuUGph2kAWOVPd.",
    "$bcrypt-sha256$2b,4$gNogCXLJQjw7R6iTVFrNze$BCAVWvpZVxPtcuSKZOZ7gQfU39e3QqO",
    "bcrypt_sha256$$2b$04$Y7cBIDXxPqKpMbN/FApWGeDdY56WXMiGmzyhAi.H3Z/JJW4QkKegy",
    "$argon2id$v=19$m=64,t=2,p=2$JSTk3LsXojQGQMjZ+78XIg$NwzB3jy1EfNQshXb6sAgJ2TFzaoWxpHDeAeV5rWWzi8",
    "argon2$argon2id$v=19$m=64,t=1,p=1$M0d6WGlYYUtIeGN2TEFTVHNGeU1idg$TBuA+2KK+2CDcy+5mobxykHkyWjvay6P6P/wRYN4/RA",
];

/// A hash of `y` 72 times.
const OF_72_Y: &str = "$2b$04$O81W.SeprmABbtoJ1s6j3utzW.uXX.WjSgu8yUwuHLENqviiqQVmC";

fn hashing() -> Hashing {
    let settings = HashingSettings { threads: 1, lanes: 4, max_queue: 100, max_per_source: 100, max_stored_cost: 10 };
    Hashing::start(settings).expect("threads")
}

async fn matches(hashing: &Hashing, password: &str, hash: &str) -> bool {
    let floor = Cost::try_from(4).expect("a cost");
    hashing
        .verify(1, Password::new(password), Some(StoredHash::parse(hash).expect("a hash")), floor)
        .await
        .expect("room")
}

#[tokio::test]
async fn hashes_of_passlib_and_django_match_their_password_and_no_other() {
    let hashing = hashing();
    for (hash, format, cost) in OF_ENGLISH {
        let parsed: StoredHash = hash.parse().unwrap();
        assert_eq!((parsed.format(), parsed.cost()), (format, cost), "{hash}");
        assert_eq!((parsed.as_str(), parsed.to_string().as_str()), (hash, hash));
        assert!(matches(&hashing, ENGLISH, hash).await, "{hash}");
        assert!(!matches(&hashing, "correct horse battery stapler", hash).await, "{hash}");
        assert!(!matches(&hashing, "", hash).await, "{hash}");
    }
    for hash in OF_UNICODE {
        assert!(matches(&hashing, UNICODE, hash).await, "{hash}");
        assert!(!matches(&hashing, "passwörd 密码 🔑", hash).await, "{hash}");
    }
}

#[tokio::test]
async fn every_byte_of_a_long_password_counts() {
    let hashing = hashing();
    for hash in OF_100_X {
        assert!(matches(&hashing, &"x".repeat(100), hash).await, "{hash}");
        assert!(!matches(&hashing, &"x".repeat(99), hash).await, "{hash}");
        assert!(!matches(&hashing, &"x".repeat(101), hash).await, "{hash}");
    }
}

#[tokio::test]
async fn plain_bcrypt_refuses_what_it_would_truncate() {
    let hashing = hashing();
    let password = "y".repeat(72);
    assert!(bcrypt::verify(format!("{password}z"), OF_72_Y).unwrap(), "the bcrypt crate truncates");
    assert!(matches(&hashing, &password, OF_72_Y).await);
    assert!(!matches(&hashing, &format!("{password}z"), OF_72_Y).await);
    assert!(!matches(&hashing, &"y".repeat(71), OF_72_Y).await);
}

#[tokio::test]
async fn plain_bcrypt_refuses_a_nul_inside() {
    let hashing = hashing();
    let plain = bcrypt::hash_with_salt("secret\0tail", 4, [7; 16]).unwrap().to_string();
    assert!(bcrypt::verify("secret\0tail", &plain).unwrap());
    assert!(!matches(&hashing, "secret\0tail", &plain).await);
    // As a C implementation would have stored it.
    let truncated = bcrypt::hash_with_salt("secret", 4, [7; 16]).unwrap().to_string();
    assert!(matches(&hashing, "secret", &truncated).await);
    assert!(!matches(&hashing, "secret\0tail", &truncated).await);
}

#[tokio::test]
async fn an_empty_password_is_checked_like_any_other() {
    let hashing = hashing();
    for hash in [
        "$bcrypt-sha256$v=2,t=2b,r=4$5CCL36HRDh/5fCFOuWf5Te$OXQQw0ngC1.u/TvXUhOp2LaUCnIVlqm",
        "$2b$04$UtSHZ56HaRr5fAv0nj4KR.cD5KW1vDCL9BjLcD/sNzfHbW4FvY0F.",
    ] {
        assert!(matches(&hashing, "", hash).await, "{hash}");
        assert!(!matches(&hashing, " ", hash).await, "{hash}");
    }
}

#[test]
fn malformed_hashes_fail_cleanly() {
    use HashFormatError::{Argon2Parameters, Cost, Digest, Salt, Shape, UnknownFormat};
    let digest = "KdQ9D8pVolCTzqQ9bX3kZ/v1qqaNo.y";
    let salt = "xtGhyIlsUM.SQZcbp8Y3Ne";
    let v2 = |settings: &str, salt: &str, digest: &str| format!("$bcrypt-sha256${settings}${salt}${digest}");
    let argon = |settings: &str| format!("$argon2id${settings}$HsPYG4NQCsGYEyIkJEQopQ$NjJR8rQyKhmnNOJrVC9jBA");
    let cases = [
        (String::new(), UnknownFormat),
        ("plain text".to_owned(), UnknownFormat),
        ("$2x$04$s.2BA/eSMdb2ueeNfURDYOdVyGc/JrdLBPZGNNLri05M9HwgRAX1a".to_owned(), UnknownFormat),
        ("$2b$".to_owned(), Shape),
        ("$2b$04$".to_owned(), Shape),
        ("$2b$4$s.2BA/eSMdb2ueeNfURDYOdVyGc/JrdLBPZGNNLri05M9HwgRAX1a".to_owned(), Cost),
        ("$2b$+4$s.2BA/eSMdb2ueeNfURDYOdVyGc/JrdLBPZGNNLri05M9HwgRAX1a".to_owned(), Cost),
        ("$2b$03$s.2BA/eSMdb2ueeNfURDYOdVyGc/JrdLBPZGNNLri05M9HwgRAX1a".to_owned(), Cost),
        ("$2b$32$s.2BA/eSMdb2ueeNfURDYOdVyGc/JrdLBPZGNNLri05M9HwgRAX1a".to_owned(), Cost),
        // A multi-byte character where salt and digest meet.
        ("$2b$04$s.2BA/eSMdb2ueeNfURDYéVyGc/JrdLBPZGNNLri05M9HwgRAX1a".to_owned(), Shape),
        ("$2b$04$s.2BA/eSMdb2ueeNfURDYOdVyGc/JrdLBPZGNNLri05M9HwgRAX1".to_owned(), Digest),
        ("$2b$04$s.2BA/eSMdb2ueeNfURDYOdVyGc/JrdLBPZGNNLri05M9HwgRAX1aa".to_owned(), Digest),
        ("$2b$04$s.2BA/eSMdb2ueeNfURDYPdVyGc/JrdLBPZGNNLri05M9HwgRAX1a".to_owned(), Salt),
        (v2("v=2,t=2b,r=4", salt, ""), Digest),
        (v2("v=2,t=2b,r=4", "xtGhyIlsUM.SQZcbp8Y3Nf", digest), Salt),
        (v2("v=2,t=2b,r=4", "xtGhyIlsUM.SQZcbp8Y3N", digest), Salt),
        (v2("v=2,t=2b,r=4", salt, "KdQ9D8pVolCTzqQ9bX3kZ/v1qqaNo.z"), Digest),
        (v2("v=2,t=2b,r=04", salt, digest), Cost),
        (v2("v=2,t=2b,r=", salt, digest), Cost),
        (v2("v=2,t=2b,r=99999999999", salt, digest), Cost),
        (v2("v=2,t=2a,r=4", salt, digest), UnknownFormat),
        (v2("v=3,t=2b,r=4", salt, digest), UnknownFormat),
        (format!("{}$", v2("v=2,t=2b,r=4", salt, digest)), Shape),
        ("$bcrypt-sha256$v=2,t=2b,r=4$xtGhyIlsUM.SQZcbp8Y3Ne".to_owned(), Shape),
        (argon("v=16$m=64,t=2,p=2"), UnknownFormat),
        (argon("v=19$m=262145,t=2,p=2"), Argon2Parameters),
        (argon("v=19$m=64,t=17,p=2"), Argon2Parameters),
        (argon("v=19$m=1024,t=2,p=17"), Argon2Parameters),
        (argon("v=19$m=64,t=0,p=2"), Argon2Parameters),
        (argon("v=19$m=8,t=1,p=2"), Argon2Parameters),
        (argon("v=19$t=2,m=64,p=2"), Argon2Parameters),
        (argon("v=19$m=64,t=2,p=2,keyid=AA"), Argon2Parameters),
        ("$argon2id$v=19$m=64,t=2,p=2$HsPYG4NQCsGYEyIkJEQopQ".to_owned(), Shape),
        ("$argon2id$v=19$m=64,t=2,p=2$$NjJR8rQyKhmnNOJrVC9jBA".to_owned(), Salt),
        ("$argon2id$v=19$m=64,t=2,p=2$HsPYG4NQCsGYEyIkJEQopQ$!".to_owned(), Digest),
        ("$argon2i$v=19$m=64,t=2,p=2$HsPYG4NQCsGYEyIkJEQopQ$NjJR8rQyKhmnNOJrVC9jBA".to_owned(), UnknownFormat),
        ("$2b$".repeat(1000), Shape),
    ];
    for (text, error) in cases {
        assert_eq!(StoredHash::parse(&text).unwrap_err(), error, "{text}");
    }
}

#[test]
fn no_truncated_or_changed_hash_panics() {
    for (hash, ..) in OF_ENGLISH {
        for at in 0..hash.len() {
            // Some of these are still valid (argon2 has no fixed length); none may panic.
            let _ = StoredHash::parse(&hash[..at]);
            for other in ["", "$", "é", "\0", "="] {
                let _ = StoredHash::parse(&format!("{}{other}{}", &hash[..at], &hash[at + 1..]));
            }
        }
    }
}

#[test]
fn debug_shows_neither_salt_nor_digest() {
    for (hash, format, cost) in OF_ENGLISH {
        let debug = format!("{:?}", StoredHash::parse(hash).unwrap());
        assert_eq!(debug, format!("StoredHash {{ format: {format:?}, cost: {cost:?}, .. }}"));
    }
}

#[test]
fn only_the_new_format_at_the_configured_cost_is_current() {
    for (hash, format, _) in OF_ENGLISH {
        let hash = StoredHash::parse(hash).unwrap();
        assert_eq!(hash.is_current(4), format == BcryptSha256V2);
        assert!(!hash.is_current(12) && !hash.is_current(3));
    }
}
