//! Whether the event log says exactly what happened: no event is missing, and none stands for what did not happen.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::server::Place;

/// What ends one session.
const ENDS: [&str; 4] = ["session.revoked", "session.logged_out", "refresh.replayed", "refresh.ahead_of_database"];

/// How many events were compared, and what does not fit.
#[derive(Default)]
pub struct Checked {
    pub events: usize,
    pub wrong: Vec<String>,
}

/// Compares every session that is stored with every event, in both directions, and verifies the chain.
pub fn check(place: &Place) -> Checked {
    let events: Vec<Value> = place
        .output(&["audit", "export"])
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let sessions: Vec<Value> = serde_json::from_str(&place.output(&["session", "list", "--ended", "--json"])).unwrap();
    let mut wrong = Vec::new();
    compare(
        "a session",
        &ids(&sessions, |session| session["id"].as_str()),
        "its login",
        &of(&events, &["login.succeeded"]),
        &mut wrong,
    );
    let revoked = ids(&sessions, |session| {
        session["state"].as_str().filter(|state| state.starts_with("revoked")).and(session["id"].as_str())
    });
    compare("a revoked session", &revoked, "its revocation", &of(&events, &ENDS), &mut wrong);
    let numbers: Vec<_> = events.iter().map(|event| event["number"].as_i64().unwrap()).collect();
    if numbers != (1..=events.len() as i64).collect::<Vec<_>>() {
        wrong.push("the numbers have gaps".into());
    }
    let verified = place.run(&["audit", "verify"], "");
    if !verified.is_done {
        wrong.push(format!("the chain is damaged: {}", verified.errors));
    }
    Checked { events: events.len(), wrong }
}

fn of<'a>(events: &'a [Value], names: &[&str]) -> Vec<&'a str> {
    let named = events.iter().filter(|event| names.iter().any(|name| event["event"] == *name));
    named.map(|event| event["session"].as_str().unwrap_or("no session")).collect()
}

fn ids<'a>(sessions: &'a [Value], id: impl Fn(&'a Value) -> Option<&'a str>) -> Vec<&'a str> {
    sessions.iter().filter_map(id).collect()
}

/// Each of the one kind belongs to one of the other.
fn compare(one: &str, these: &[&str], other: &str, those: &[&str], wrong: &mut Vec<String>) {
    let mut times: HashMap<&str, usize> = HashMap::new();
    for id in those {
        *times.entry(id).or_default() += 1;
    }
    let known: HashSet<_> = these.iter().copied().collect();
    wrong.extend(these.iter().filter(|id| !times.contains_key(*id)).map(|id| format!("{one} without {other}: {id}")));
    wrong.extend(times.keys().filter(|id| !known.contains(*id)).map(|id| format!("{other} without {one}: {id}")));
    wrong.extend(
        times.iter().filter(|(_, times)| **times > 1).map(|(id, times)| format!("{other} {times} times: {id}")),
    );
}
