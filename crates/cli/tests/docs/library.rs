//! The reference of the two libraries, made from their source: each public type, trait and function of a module shows how it
//! is used, or says where an example does.

use std::fs;
use std::path::Path;

use syn::{Attribute, Item, Lit, Meta, UseTree, Visibility};

use crate::markdown::repository;

/// Where names become public.
const FRONTS: [&str; 4] =
    ["resource/src/lib.rs", "resource/src/axum/mod.rs", "client/src/lib.rs", "client/src/admin/mod.rs"];
/// What refers to the example of another item.
const ELSEWHERE: &str = "the example at [`";

#[test]
fn every_public_item_of_the_libraries_has_an_example() {
    let mut public = Vec::new();
    for front in FRONTS {
        let items = parsed(&repository().join("crates").join(front));
        for item in &items {
            match item {
                Item::Use(using) if matches!(using.vis, Visibility::Public(_)) => names(&using.tree, &mut public),
                Item::Struct(found) if is_public(&found.vis) => public.push(found.ident.to_string()),
                _ => (),
            }
        }
    }
    // Fewer would mean that the names are not found, and nothing is checked.
    assert!(public.len() > 80, "{public:?}");

    let mut without = Vec::new();
    for library in ["resource", "client"] {
        for file in sources(&repository().join("crates").join(library).join("src")) {
            for (name, attributes) in parsed(&file).iter().filter_map(declared) {
                let docs = docs(attributes);
                if public.contains(&name) && !docs.contains("```") && !docs.contains(ELSEWHERE) {
                    without.push(format!("{}: {name}", file.strip_prefix(repository()).unwrap().display()));
                }
            }
        }
    }
    assert!(without.is_empty(), "no example, and no \"{ELSEWHERE}…`]\":\n{}", without.join("\n"));
}

fn parsed(file: &Path) -> Vec<Item> {
    syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap().items
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// The names that a `use` makes public: from this crate, because others have docs of their own.
fn names(tree: &UseTree, found: &mut Vec<String>) {
    match tree {
        UseTree::Path(path) => names(&path.tree, found),
        UseTree::Name(name) => found.push(name.ident.to_string()),
        UseTree::Rename(rename) => found.push(rename.rename.to_string()),
        UseTree::Group(group) => group.items.iter().for_each(|tree| names(tree, found)),
        UseTree::Glob(_) => panic!("a glob hides what is public"),
    }
}

fn declared(item: &Item) -> Option<(String, &[Attribute])> {
    let (visibility, name, attributes) = match item {
        Item::Struct(item) => (&item.vis, &item.ident, &item.attrs),
        Item::Enum(item) => (&item.vis, &item.ident, &item.attrs),
        Item::Trait(item) => (&item.vis, &item.ident, &item.attrs),
        Item::Fn(item) => (&item.vis, &item.sig.ident, &item.attrs),
        _ => return None,
    };
    is_public(visibility).then(|| (name.to_string(), attributes.as_slice()))
}

fn docs(attributes: &[Attribute]) -> String {
    let mut text = String::new();
    for attribute in attributes {
        let Meta::NameValue(meta) = &attribute.meta else { continue };
        let syn::Expr::Lit(value) = &meta.value else { continue };
        let Lit::Str(line) = &value.lit else { continue };
        if meta.path.is_ident("doc") {
            text.push_str(&line.value());
            text.push('\n');
        }
    }
    text
}

fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(sources(&path)),
            false if path.extension().is_some_and(|end| end == "rs") => files.push(path),
            false => (),
        }
    }
    files
}
