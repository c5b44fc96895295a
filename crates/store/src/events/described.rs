//! A user and a client as events show them: what an administrator sets, without secrets.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::rows::{client, split_names, user};

/// A user.
pub(crate) fn described(user: &user::Model) -> Value {
    json!({
        "name": user.name,
        "email": user.email,
        "scopes": split_names(&user.scopes),
        "roles": split_names(&user.roles),
        "enabled": user.enabled,
        "must_change": user.must_change,
    })
}

/// A client.
pub(crate) fn described_client(client: &client::Model) -> Value {
    json!({
        "public": client.secret_hash.is_none(),
        "grants": split_names(&client.grants),
        "scopes": if client.any_scope { json!("any") } else { json!(split_names(&client.scopes)) },
        "audience": client.audience,
        "serves": split_names(&client.serves),
        "forwards_address": client.forwards_address,
        "own_scopes": client.own_scopes,
        "enabled": client.enabled,
    })
}

/// A time as RFC 3339, as every time in an event is shown; `None` if it is not one.
pub(crate) fn shown_time(seconds: i64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(seconds).ok()?.format(&Rfc3339).ok()
}

/// `before` and `after` with the fields that differ; `None` if none does.
pub(crate) fn difference(before: &Value, after: &Value) -> Option<Value> {
    let (Value::Object(before), Value::Object(after)) = (before, after) else { return None };
    let differing = |one: &Map<String, Value>, other: &Map<String, Value>| -> Map<String, Value> {
        one.iter().filter(|(key, value)| other.get(*key) != Some(*value)).map(|(k, v)| (k.clone(), v.clone())).collect()
    };
    let (before, after) = (differing(before, after), differing(after, before));
    (!before.is_empty() || !after.is_empty()).then(|| json!({ "before": before, "after": after }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_shown() {
        let (before, after) = (json!({ "a": 1, "b": null, "c": "x" }), json!({ "a": 1, "b": 2, "c": "x" }));
        let expected = json!({ "before": { "b": null }, "after": { "b": 2 } });
        assert_eq!(difference(&before, &after), Some(expected));
        assert_eq!(difference(&after, &after), None);
    }
}
