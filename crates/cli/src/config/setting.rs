//! Reading one value, from a TOML file or, always as text, from the environment.
//!
//! The `config` crate would coerce values: `yes` to 1, 1.7 to 2, and any number to `true`. So each type of setting says
//! what it accepts, and everything else is refused.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

/// The type of a setting.
pub trait Setting: Sized {
    /// True if the value must never be shown.
    const SECRET: bool = false;

    /// What is allowed, phrased to follow the words "it must be".
    fn wanted() -> String;

    /// Reads a text.
    fn from_text(text: &str) -> Option<Self>;

    /// Reads a TOML integer.
    fn from_number(_number: u64) -> Option<Self> {
        None
    }

    /// Reads a TOML boolean.
    fn from_flag(_flag: bool) -> Option<Self> {
        None
    }

    /// Reads a TOML array.
    fn from_list(_list: &[String]) -> Option<Self> {
        None
    }

    /// The value as TOML, for `ficha config`.
    fn show(&self) -> String;
}

/// A parsed value.
#[derive(Clone)]
pub struct Is<T>(pub T);

impl<'de, T: Setting> Deserialize<'de> for Is<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader(PhantomData)).map(Is)
    }
}

impl<T: Setting> Serialize for Is<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.show())
    }
}

struct Reader<T>(PhantomData<T>);

impl<T: Setting> Reader<T> {
    fn take<E: Error>(value: Option<T>, shown: impl fmt::Display) -> Result<T, E> {
        value.ok_or_else(|| {
            let wanted = T::wanted();
            match T::SECRET {
                true => E::custom(format_args!("can't be used: it must be {wanted}")),
                false => E::custom(format_args!("is {shown}, but it must be {wanted}")),
            }
        })
    }
}

impl<'de, T: Setting> Visitor<'de> for Reader<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&T::wanted())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Self::take(T::from_text(text), format_args!("{text:?}"))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        Self::take(T::from_number(number), number)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        Self::take(u64::try_from(number).ok().and_then(T::from_number), number)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        Self::take(None, number)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<T, E> {
        Self::take(T::from_flag(flag), flag)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<T, A::Error> {
        let mut list = Vec::new();
        while let Some(Element(element)) = sequence.next_element()? {
            list.push(element);
        }
        let all: Option<Vec<String>> = list.into_iter().collect();
        Self::take(all.as_deref().and_then(T::from_list), "a list")
    }
}

/// An element of a list: text, or `None` for anything else.
struct Element(Option<String>);

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Only text is accepted.
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self(Some(text))),
            _ => Ok(Self(None)),
        }
    }
}

/// A text as a TOML string.
pub fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if control.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
