//! The page about error messages has all of them, as the source has them: message and reason from the enums of errors, and what
//! to do from the program, where it prints that. `FICHA_TEST_RENEW=1` writes the tables anew.

use std::collections::BTreeMap;

use syn::{Arm, Attribute, Expr, Fields, ImplItem, Item, ItemEnum, ItemFn, Lit, Meta, Pat, Stmt};

use crate::free_texts::{self, with_gaps};
use crate::markdown::{page, repository};

const PAGE: &str = "reference/troubleshooting.md";

/// A table of the page: its name there, the enums whose messages it has, and where the advice about them is. Without that,
/// the page itself has it.
struct Table {
    name: &'static str,
    enums: &'static [(&'static str, &'static str)],
    advice: &'static [&'static str],
}

const TABLES: [Table; 8] = [
    Table {
        name: "settings",
        enums: &[("cli/src/config/error.rs", "ConfigProblem"), ("authority/src/error.rs", "SettingsError")],
        advice: &["cli/src/config/error.rs", "cli/src/advice.rs"],
    },
    Table {
        name: "start",
        enums: &[("authority/src/error.rs", "StartError"), ("server/src/server.rs", "ServerError")],
        advice: &["cli/src/advice.rs"],
    },
    Table { name: "database", enums: &[("store/src/error.rs", "StoreError")], advice: &["cli/src/advice.rs"] },
    Table {
        name: "commands",
        enums: &[
            ("cli/src/error.rs", "CliError"),
            ("cli/src/input_error.rs", "InputError"),
            ("authority/src/admin/mod.rs", "AdminError"),
            ("password/src/policy.rs", "PolicyError"),
        ],
        advice: &["cli/src/error.rs", "cli/src/input_error.rs", "cli/src/advice.rs"],
    },
    Table { name: "login", enums: &[("client/src/error.rs", "Error")], advice: &["cli/src/advice.rs"] },
    Table {
        name: "oauth",
        enums: &[("server/src/error.rs", "ApiError"), ("authority/src/error.rs", "AuthorityError")],
        advice: &[],
    },
    Table {
        name: "services",
        enums: &[
            ("resource/src/refusal.rs", "Refusal"),
            ("resource/src/error.rs", "VerifyError"),
            ("resource/src/authorization.rs", "Malformed"),
            ("token/src/jwt/token_error.rs", "TokenError"),
        ],
        advice: &[],
    },
    Table { name: "build", enums: &[("resource/src/build_error.rs", "BuildError")], advice: &[] },
];

/// A message, why it comes, and what to do.
struct Row {
    message: String,
    why: String,
    to_do: String,
}

#[test]
fn the_page_has_every_message_with_its_reason_and_what_to_do() {
    let (mut text, mut unsaid) = (page(PAGE), Vec::new());
    for table in &TABLES {
        let (begins, ends) = (format!("<!-- messages: {} -->\n", table.name), "<!-- end of messages -->");
        let (before, rest) = text.split_once(&begins).unwrap_or_else(|| panic!("{begins} is not on the page"));
        let (old, after) = rest.split_once(ends).unwrap();
        let known = written(old);
        let rows: Vec<Row> = table.enums.iter().flat_map(|(file, name)| rows(file, name, table, &known)).collect();
        text = format!("{before}{begins}{}{ends}{after}", shown(&rows));
        let silent = rows.into_iter().filter(|row| row.to_do.is_empty());
        unsaid.extend(silent.map(|row| format!("{}: {}", table.name, row.message)));
    }
    if std::env::var_os("FICHA_TEST_RENEW").is_some() {
        std::fs::write(repository().join("docs/src").join(PAGE), &text).unwrap();
    }
    assert!(unsaid.is_empty(), "say what to do about these:\n{}", unsaid.join("\n"));
    let kept = page(PAGE);
    let differing = kept.lines().zip(text.lines()).find(|(kept, now)| kept != now);
    assert!(kept == text, "the page is not what the source says; FICHA_TEST_RENEW=1 rewrites it: {differing:?}");
}

#[test]
fn the_page_has_every_type_of_problem() {
    let page = page(PAGE);
    let source = std::fs::read_to_string(repository().join("crates/server/src/api/problem.rs")).unwrap();
    let kinds = source.split_once("pub const KINDS").unwrap().1.split_once("];").unwrap().0;
    let texts: Vec<&str> = kinds.split('"').skip(1).step_by(2).collect();
    assert!(texts.len() > 40 && texts.len().is_multiple_of(3), "{texts:?}");
    for kind in texts.chunks(3) {
        let row = format!("| `{}` | {} | {} |", kind[0], kind[1], kind[2]);
        assert!(page.contains(&row), "{PAGE} lacks the row\n{row}");
    }
}

/// The rows of an enum.
fn rows(file: &str, name: &str, table: &Table, known: &BTreeMap<String, String>) -> Vec<Row> {
    let wanted =
        |item: Item| if let Item::Enum(found) = item { Some(found).filter(|found| found.ident == name) } else { None };
    let found: ItemEnum =
        source(file).items.into_iter().find_map(wanted).unwrap_or_else(|| panic!("{file}: no {name}"));
    let advice: BTreeMap<(String, String), String> = table.advice.iter().flat_map(|file| advice(file)).collect();
    let mut rows = Vec::new();
    for variant in found.variants {
        let Some(message) = message(&variant.attrs) else { continue };
        assert!(!matches!(variant.fields, Fields::Unnamed(ref fields) if fields.unnamed.is_empty()));
        let advice = advice.get(&(name.to_owned(), variant.ident.to_string()));
        if message == "…" && advice.is_none() && (!table.advice.is_empty() || is_other_error(&variant.fields)) {
            // The message is that of another error, which has a row of its own.
            continue;
        }
        // Only the field's own text, which has a row of its own for each case.
        let texts = if message == "…" { free_texts::of(name, &variant.ident.to_string()) } else { Vec::new() };
        let message = if message == "…" { format!("*{}*", words(&variant.ident.to_string())) } else { message };
        let to_do = match table.advice {
            [] => known.get(&message).cloned().unwrap_or_default(),
            _ => match advice {
                Some(text) => text.clone(),
                None => panic!("{name}::{}: no advice", variant.ident),
            },
        };
        let why = why(&variant.attrs);
        let row = |message: String| Row { message, why: why.clone(), to_do: to_do.clone() };
        rows.push(row(message));
        rows.extend(texts.into_iter().map(row));
    }
    assert!(!rows.is_empty(), "{name}");
    rows
}

/// The text of `#[error("…")]`, with `…` for what is put in; `None` for `#[error(transparent)]`.
fn message(attributes: &[Attribute]) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.path().is_ident("error"))?;
    let Meta::List(list) = &attribute.meta else { return None };
    let first = list.tokens.clone().into_iter().next()?;
    let Ok(Lit::Str(text)) = syn::parse_str::<Lit>(&first.to_string()) else { return None };
    Some(with_gaps(&text.value()))
}

/// The first paragraph of a documentation comment.
fn why(attributes: &[Attribute]) -> String {
    let line = |attribute: &Attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    };
    let lines = attributes.iter().filter_map(line).take_while(|line| !line.is_empty());
    without_links(&lines.collect::<Vec<_>>().join(" "))
}

/// True if it only holds another error.
fn is_other_error(fields: &Fields) -> bool {
    fields.iter().any(|field| field.attrs.iter().any(|attribute| attribute.path().is_ident("from")))
}

/// `[`Name`](path)` and ``[`Self::Name`]`` lead nowhere on a page.
fn without_links(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, more)) = rest.split_once('[') {
        let (words, after) = more.split_once(']').unwrap();
        shown.push_str(before);
        shown.push_str(words);
        rest = match after.strip_prefix('(') {
            Some(target) => target.split_once(')').unwrap().1,
            None => after,
        };
    }
    shown + rest
}

/// `NotPrimary` as *not primary*.
fn words(name: &str) -> String {
    let mut text = String::new();
    for (index, c) in name.char_indices() {
        if c.is_uppercase() && index > 0 {
            text.push(' ');
        }
        text.extend(c.to_lowercase());
    }
    text
}

/// The advice of a file: for each variant of an enum, the text of its arm in a `match`.
fn advice(file: &str) -> Vec<((String, String), String)> {
    let mut all = Vec::new();
    let items = source(file).items;
    let general = general_advice(&items);
    for item in items {
        match item {
            Item::Fn(ItemFn { block, .. }) => arms(&block.stmts, None, &general, &mut all),
            Item::Impl(block) => {
                let syn::Type::Path(path) = &*block.self_ty else { continue };
                let name = path.path.segments.last().unwrap().ident.to_string();
                for function in &block.items {
                    if let ImplItem::Fn(function) = function
                        && function.sig.ident == "advice"
                    {
                        arms(&function.block.stmts, Some(&name), &general, &mut all);
                    }
                }
            }
            _ => {}
        }
    }
    all
}

/// Of each function with a single `match`, what it says for all other cases.
fn general_advice(items: &[Item]) -> BTreeMap<String, String> {
    let one = |item: &Item| {
        let Item::Fn(function) = item else { return None };
        let [Stmt::Expr(Expr::Match(found), _)] = function.block.stmts.as_slice() else { return None };
        let last = found.arms.last().filter(|arm| matches!(arm.pat, Pat::Wild(_)))?;
        Some((function.sig.ident.to_string(), text(&last.body)?))
    };
    items.iter().filter_map(one).collect()
}

/// The name of a function that is called.
fn called(body: &Expr) -> Option<String> {
    let Expr::Call(call) = body else { return None };
    let Expr::Path(path) = &*call.func else { return None };
    path.path.get_ident().map(ToString::to_string)
}

fn arms(
    statements: &[Stmt],
    own: Option<&str>,
    general: &BTreeMap<String, String>,
    all: &mut Vec<((String, String), String)>,
) {
    let [Stmt::Expr(Expr::Match(found), _)] = statements else { return };
    for Arm { pat, body, .. } in &found.arms {
        let other = || called(body).and_then(|name| general.get(&name).cloned());
        let Some(text) = text(body).or_else(other) else { continue };
        let mut patterns = vec![pat];
        while let Some(pattern) = patterns.pop() {
            let path = match pattern {
                Pat::Or(several) => {
                    patterns.extend(&several.cases);
                    continue;
                }
                Pat::TupleStruct(one) => &one.path,
                Pat::Struct(one) => &one.path,
                Pat::Path(one) => &one.path,
                _ => continue,
            };
            let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            let [kind, variant] = names.as_slice() else { continue };
            let kind = if kind == "Self" { own.unwrap_or(kind) } else { kind };
            all.push(((kind.to_owned(), variant.clone()), text.clone()));
        }
    }
}

fn text(body: &Expr) -> Option<String> {
    match body {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        Expr::Block(block) => match block.block.stmts.as_slice() {
            [Stmt::Expr(inner, None)] => text(inner),
            _ => None,
        },
        _ => None,
    }
}

fn source(file: &str) -> syn::File {
    let path = repository().join("crates").join(file);
    syn::parse_file(&std::fs::read_to_string(&path).unwrap()).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// What the page says to do, by message.
fn written(table: &str) -> BTreeMap<String, String> {
    let cells =
        |row: &str| -> Vec<String> { row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect() };
    let rows = table.lines().filter(|line| line.starts_with("| ")).map(cells);
    rows.filter_map(|row| match row.as_slice() {
        [message, _, to_do] => Some((message.clone(), to_do.clone())),
        _ => None,
    })
    .collect()
}

fn shown(rows: &[Row]) -> String {
    let cell =
        |text: &str| text.replace('|', "\\|").replace('<', "&lt;").split_whitespace().collect::<Vec<_>>().join(" ");
    let sentence = |text: &str| {
        let mut letters = text.chars();
        let capital: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
        if capital.ends_with(['.', '…', '!', '?']) || capital.is_empty() { capital } else { capital + "." }
    };
    let row = |row: &Row| {
        let [message, why, to_do] = [cell(&row.message), cell(&row.why), sentence(&cell(&row.to_do))];
        format!("| {message} | {why} | {to_do} |\n")
    };
    let lines: String = rows.iter().map(row).collect();
    format!("\n| Message | Why | To do |\n|---|---|---|\n{lines}\n")
}
