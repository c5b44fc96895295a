//! Schemas of members that may be one thing or another.

use ficha_authority::Grant;
use serde_json::json;
use utoipa::openapi::schema::{ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema, SchemaFormat};

/// A whole number that 32 bits may not hold.
fn whole() -> ObjectBuilder {
    let format = SchemaFormat::KnownFormat(KnownFormat::Int64);
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::Integer)).format(Some(format))
}

/// The grants of the token endpoint.
pub fn grant_type() -> RefOr<Schema> {
    let names = [Grant::Password, Grant::RefreshToken, Grant::ClientCredentials].map(Grant::as_str);
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).enum_values(Some(names)).into()
}

/// A list of scope names, or the text `any`.
pub fn scopes_or_any() -> RefOr<Schema> {
    let name = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
    let any = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).enum_values(Some(["any"]));
    OneOfBuilder::new().item(ArrayBuilder::new().items(name)).item(any).into()
}

/// The same for a change, where null removes all.
pub fn scopes_or_any_or_null() -> RefOr<Schema> {
    let null = ObjectBuilder::new().schema_type(SchemaType::Type(Type::Null));
    OneOfBuilder::new().item(scopes_or_any()).item(null).into()
}

/// A count, or the least that it may be.
pub fn count() -> RefOr<Schema> {
    let number = || whole().minimum(Some(0));
    let at_least = ObjectBuilder::new().property("at_least", number()).required("at_least");
    OneOfBuilder::new().item(number()).item(at_least).examples([json!(12), json!({ "at_least": 100_000 })]).into()
}

/// Entries of the denylist: an id and a time, each.
pub fn denylist_entries() -> RefOr<Schema> {
    let id = || ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
    let until = whole;
    let either = OneOfBuilder::new().item(id()).item(until());
    let entry = ArrayBuilder::new().prefix_items([id(), until()]).items(either).min_items(Some(2)).max_items(Some(2));
    let example = json!([["0198c0de-0000-7000-8000-000000000001", 1_763_800_000]]);
    ArrayBuilder::new().items(entry).examples([example]).into()
}
