//! The texts of errors whose message is a text of its own, such as `AdminError::Invalid(format!("…"))`: found where the source
//! makes them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, Block, Expr, ExprCall, ExprClosure, ItemFn, ItemMod, Lit, Local, Macro, Pat, Stmt};

use crate::markdown::repository;

/// Where they are made.
const CRATES: [&str; 6] = ["authority", "cli", "client", "password", "server", "store"];

/// Every text that a variant is made with, with `…` for what is put in, sorted.
pub fn of(kind: &str, variant: &str) -> Vec<String> {
    let mut search = Search { path: [kind.to_owned(), variant.to_owned()], scopes: Vec::new(), found: BTreeSet::new() };
    for name in CRATES {
        each_source(&repository().join("crates").join(name).join("src"), &mut |file| search.visit_file(file));
    }
    search.found.into_iter().filter(|text| text.split(' ').filter(|word| is_word(word)).count() > 1).collect()
}

/// What stands in a text of a macro, with `…` for what is put in.
pub fn with_gaps(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((plain, more)) = rest.split_once('{') {
        let (_, after) = more.split_once('}').unwrap();
        shown.push_str(plain);
        // Two in a row are one.
        if !shown.ends_with('…') {
            shown.push('…');
        }
        rest = after;
    }
    shown + rest
}

fn is_word(word: &str) -> bool {
    word.chars().any(char::is_alphabetic)
}

fn each_source(folder: &Path, read: &mut impl FnMut(&syn::File)) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            each_source(&path, read);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            read(&syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
        }
    }
}

/// The names of a block.
#[derive(Default)]
struct Scope {
    /// What they stand for.
    texts: HashMap<String, Vec<String>>,
    /// Those of closures that make an error of their argument.
    makers: HashSet<String>,
}

struct Search {
    /// The enum and its variant.
    path: [String; 2],
    /// The names in each block around.
    scopes: Vec<Scope>,
    found: BTreeSet<String>,
}

impl Search {
    fn is_made_by(&self, function: &Expr) -> bool {
        let Expr::Path(path) = function else { return false };
        let names: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        names.ends_with(&self.path)
            || matches!(names.as_slice(), [name] if self.scopes.iter().any(|scope| scope.makers.contains(name)))
    }

    /// The texts that an expression may have.
    fn texts(&self, expression: &Expr) -> Vec<String> {
        match expression {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => vec![text.value()],
                _ => Vec::new(),
            },
            Expr::Macro(made) => of_macro(&made.mac).into_iter().collect(),
            Expr::MethodCall(call) => self.texts(&call.receiver),
            Expr::Reference(inner) => self.texts(&inner.expr),
            Expr::Paren(inner) => self.texts(&inner.expr),
            Expr::If(choice) => {
                let other = choice.else_branch.iter().flat_map(|(_, other)| self.texts(other));
                self.of_block(&choice.then_branch).into_iter().chain(other).collect()
            }
            Expr::Block(inner) => self.of_block(&inner.block),
            Expr::Match(choice) => choice.arms.iter().flat_map(|arm| self.texts(&arm.body)).collect(),
            Expr::Path(path) => {
                let Some(name) = path.path.get_ident() else { return Vec::new() };
                let found = self.scopes.iter().rev().find_map(|scope| scope.texts.get(&name.to_string()));
                found.cloned().unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    fn of_block(&self, block: &Block) -> Vec<String> {
        match block.stmts.last() {
            Some(Stmt::Expr(last, None)) => self.texts(last),
            _ => Vec::new(),
        }
    }
}

impl<'ast> Visit<'ast> for Search {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        if !is_test(&function.attrs) {
            visit::visit_item_fn(self, function);
        }
    }

    fn visit_block(&mut self, block: &'ast Block) {
        self.scopes.push(Scope::default());
        visit::visit_block(self, block);
        self.scopes.pop();
    }

    fn visit_local(&mut self, local: &'ast Local) {
        visit::visit_local(self, local);
        let pattern = match &local.pat {
            Pat::Type(typed) => &typed.pat,
            other => other,
        };
        let (Pat::Ident(name), Some(init)) = (pattern, &local.init) else { return };
        let is_maker = matches!(&*init.expr, Expr::Closure(closure) if self.makes(closure));
        let texts = self.texts(&init.expr);
        if let Some(scope) = self.scopes.last_mut() {
            scope.texts.insert(name.ident.to_string(), texts);
            if is_maker {
                scope.makers.insert(name.ident.to_string());
            }
        }
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if self.is_made_by(&call.func) {
            let texts: Vec<String> = call.args.iter().flat_map(|argument| self.texts(argument)).collect();
            self.found.extend(texts.iter().map(|text| with_gaps(text)));
        }
        visit::visit_expr_call(self, call);
    }
}

impl Search {
    fn makes(&self, closure: &ExprClosure) -> bool {
        struct Inside<'a>(&'a Search, bool);
        impl Visit<'_> for Inside<'_> {
            fn visit_expr_call(&mut self, call: &ExprCall) {
                self.1 |= self.0.is_made_by(&call.func);
                visit::visit_expr_call(self, call);
            }
        }
        let mut inside = Inside(self, false);
        inside.visit_expr(&closure.body);
        inside.1 && !closure.inputs.is_empty()
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_cfg = attribute.path().is_ident("cfg");
        attribute.path().is_ident("test")
            || (is_cfg && attribute.parse_args::<syn::Ident>().is_ok_and(|name| name == "test"))
    })
}

/// The text of `format!("…")`.
fn of_macro(made: &Macro) -> Option<String> {
    if !made.path.is_ident("format") {
        return None;
    }
    let first = made.tokens.clone().into_iter().next()?;
    match syn::parse_str::<Lit>(&first.to_string()) {
        Ok(Lit::Str(text)) => Some(text.value()),
        _ => None,
    }
}
