//! Reading a file of users: CSV with a header, or one JSON object a line.

use std::collections::HashSet;

use csv::{ReaderBuilder, StringRecord};
use ficha_password::StoredHash;
use ficha_token::Scope;
use serde::{Deserialize, Serialize};

use super::AdminError;
use super::users::{check_email, check_name, check_roles};

/// How the file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// RFC 4180, with a header that names the columns.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

/// The columns, or members, of a user. The first two are required.
const COLUMNS: [&str; 7] = ["name", "password_hash", "email", "scopes", "roles", "enabled", "must_change"];

/// How many lines a file may have, and how long one may be, in bytes.
const MOST_LINES: usize = 500_000;
const LONGEST_LINE: usize = 16 * 1_024;

/// A user as the file has them, checked as far as that is possible without the database.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ImportedUser {
    pub name: String,
    pub password_hash: String,
    pub email: Option<String>,
    pub scopes: String,
    pub roles: Vec<String>,
    pub enabled: bool,
    pub must_change: bool,
}

/// What a line says: a user, or what is wrong with it.
pub(crate) type Line = (i64, Result<ImportedUser, String>);

/// A line before it is checked. A list may be written as one text with spaces.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    password_hash: String,
    email: Option<String>,
    scopes: Option<Names>,
    roles: Option<Names>,
    enabled: Option<bool>,
    must_change: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    Text(String),
    List(Vec<String>),
}

impl ImportFormat {
    /// Reads all lines. An error is about the file as a whole.
    pub(crate) fn read(self, file: &[u8]) -> Result<Vec<Line>, AdminError> {
        let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
        let mut lines = match self {
            Self::Csv => read_csv(file)?,
            Self::JsonLines => read_json_lines(file)?,
        };
        if lines.is_empty() {
            return Err(AdminError::Invalid("the file has no users".into()));
        }
        refuse_repeated(&mut lines);
        Ok(lines)
    }
}

fn read_csv(file: &[u8]) -> Result<Vec<Line>, AdminError> {
    let mut reader = ReaderBuilder::new().has_headers(true).flexible(true).from_reader(file);
    let header = reader.headers().map_err(|_| AdminError::Invalid("the header is not readable as UTF-8".into()))?;
    let header: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    check_header(&header)?;
    let (mut lines, mut record, mut counted) = (Vec::new(), StringRecord::new(), Counted { file, bytes: 0, lines: 1 });
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => return Ok(lines),
            Ok(true) if record.as_slice().len() > LONGEST_LINE => {
                lines.push((counted.line_at(record.position()), Err(too_long())));
            }
            Ok(true) => lines.push((counted.line_at(record.position()), csv_user(&header, &record))),
            Err(error) => lines.push((counted.line_at(error.position()), Err("it is not valid CSV in UTF-8".into()))),
        }
        require_few(&lines)?;
    }
}

/// Counts lines: the reader's own number is one less after a line that ends with CR and LF.
struct Counted<'a> {
    file: &'a [u8],
    bytes: usize,
    lines: i64,
}

impl Counted<'_> {
    /// The line of the record that begins at or behind this place.
    fn line_at(&mut self, position: Option<&csv::Position>) -> i64 {
        let Some(at) = position.and_then(|position| usize::try_from(position.byte()).ok()) else { return self.lines };
        let ends = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let begin = at + self.file.get(at..).unwrap_or_default().iter().take_while(|byte| ends(byte)).count();
        let passed = self.file.get(self.bytes..begin).unwrap_or_default();
        // CR and LF, or either of them, end a line.
        let is_end = |pair: &[u8]| pair[0] == b'\n' || (pair[0] == b'\r' && pair.get(1) != Some(&b'\n'));
        let ends = (0..passed.len()).filter(|at| is_end(&passed[*at..passed.len().min(at + 2)]));
        self.lines += ends.count() as i64;
        self.bytes = begin.max(self.bytes);
        self.lines
    }
}

fn check_header(header: &[String]) -> Result<(), AdminError> {
    let known = COLUMNS.join(", ");
    if let Some(unknown) = header.iter().position(|name| !COLUMNS.contains(&name.as_str())) {
        // Not quoted: without a header, it may be a hash.
        let column = unknown + 1;
        return Err(AdminError::Invalid(format!("the header's column {column} is unknown; there are: {known}")));
    }
    if let Some(missing) = COLUMNS[..2].iter().find(|name| !header.iter().any(|column| column == *name)) {
        return Err(AdminError::Invalid(format!("the header must name the column {missing}; there are: {known}")));
    }
    let distinct: HashSet<_> = header.iter().collect();
    if distinct.len() < header.len() {
        return Err(AdminError::Invalid("the header names a column twice".into()));
    }
    Ok(())
}

fn csv_user(header: &[String], record: &StringRecord) -> Result<ImportedUser, String> {
    if record.len() != header.len() {
        return Err(format!("it has {} fields, and the header {}", record.len(), header.len()));
    }
    let field = |name: &str| {
        let value = header.iter().position(|column| column == name).and_then(|column| record.get(column));
        value.filter(|value| !value.is_empty()).map(str::to_owned)
    };
    let flag = |name: &str| match field(name).as_deref() {
        None => Ok(None),
        Some("true" | "1") => Ok(Some(true)),
        Some("false" | "0") => Ok(Some(false)),
        Some(_) => Err(format!("{name} must be true or false")),
    };
    let raw = Raw {
        name: field("name").unwrap_or_default(),
        password_hash: field("password_hash").unwrap_or_default(),
        email: field("email"),
        scopes: field("scopes").map(Names::Text),
        roles: field("roles").map(Names::Text),
        enabled: flag("enabled")?,
        must_change: flag("must_change")?,
    };
    raw.check()
}

fn read_json_lines(file: &[u8]) -> Result<Vec<Line>, AdminError> {
    let mut lines = Vec::new();
    for (line, number) in file.split(|byte| *byte == b'\n').zip(1..) {
        if !line.trim_ascii().is_empty() {
            lines.push((number, if line.len() > LONGEST_LINE { Err(too_long()) } else { json_user(line) }));
            require_few(&lines)?;
        }
    }
    Ok(lines)
}

fn too_long() -> String {
    format!("it is longer than {} KiB", LONGEST_LINE / 1_024)
}

/// Lines take more memory than their text.
fn require_few(lines: &[Line]) -> Result<(), AdminError> {
    match lines.len() > MOST_LINES {
        true => Err(AdminError::Invalid(format!("the file has more than {MOST_LINES} lines: import it in parts"))),
        false => Ok(()),
    }
}

fn json_user(line: &[u8]) -> Result<ImportedUser, String> {
    // serde takes a list for an object as well.
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err("it is not a JSON object".into());
    }
    let raw: Raw = serde_json::from_slice(line).map_err(|error| {
        // Its words name a member, but may also quote a value, which may be a hash.
        let text = error.to_string();
        match text.split_once(" at line ").map_or(text.as_str(), |(text, _)| text) {
            text if text.starts_with("unknown field") || text.starts_with("missing field") => text.to_owned(),
            text if text.starts_with("duplicate field") => text.to_owned(),
            _ if error.is_data() => "a value has the wrong type".to_owned(),
            _ => "it is not valid JSON".to_owned(),
        }
    })?;
    raw.check()
}

impl Raw {
    fn check(self) -> Result<ImportedUser, String> {
        let text = |error: AdminError| error.to_string();
        let name = check_name(&self.name).map_err(text)?;
        check_email(self.email.as_deref()).map_err(text)?;
        StoredHash::parse(&self.password_hash).map_err(|error| format!("password_hash: {error}"))?;
        let scopes = self.scopes.map(Names::list).unwrap_or_default();
        if scopes.iter().any(|name| name.contains(' ') || name.is_empty()) {
            return Err("scopes: each must be one name".into());
        }
        let scopes: Scope = scopes.join(" ").parse().map_err(|error| format!("scopes: {error}"))?;
        let roles = self.roles.map(Names::list).unwrap_or_default();
        check_roles(&roles).map_err(text)?;
        Ok(ImportedUser {
            name,
            password_hash: self.password_hash,
            email: self.email,
            scopes: scopes.to_string(),
            roles,
            enabled: self.enabled.unwrap_or(true),
            must_change: self.must_change.unwrap_or(false),
        })
    }
}

impl Names {
    fn list(self) -> Vec<String> {
        match self {
            Self::Text(text) => text.split_whitespace().map(str::to_owned).collect(),
            Self::List(names) => names,
        }
    }
}

/// Two lines of one name contradict each other: the first counts.
fn refuse_repeated(lines: &mut [Line]) {
    let mut seen = HashSet::new();
    for (_, user) in lines {
        if let Ok(name) = user.as_ref().map(|user| user.name.clone())
            && !seen.insert(name)
        {
            *user = Err("the same name is in a line above".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of "correct horse battery staple".
    const HASH: &str = "$2b$04$s.2BA/eSMdb2ueeNfURDYOdVyGc/JrdLBPZGNNLri05M9HwgRAX1a";

    fn problems(format: ImportFormat, file: &str) -> Vec<(i64, String)> {
        let lines = format.read(file.as_bytes()).unwrap();
        lines.into_iter().filter_map(|(line, user)| user.err().map(|problem| (line, problem))).collect()
    }

    #[test]
    fn a_problem_names_its_line_and_no_hash() {
        let file = format!(
            "name,password_hash,enabled\r\n\"two\r\nlines\",x,\r\nbob,{},maybe\r\n,x,\r\ncarol,nonsense,\r\nshort\r\n",
            HASH
        );
        let found = problems(ImportFormat::Csv, &file);
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4, 5, 6, 7]);
        assert!(found[1].1.contains("enabled") && found[3].1.contains("password_hash"), "{found:?}");
        assert!(!format!("{found:?}").contains("nonsense"));
    }

    #[test]
    fn lines_may_end_with_cr_alone() {
        let found = problems(ImportFormat::Csv, "name,password_hash\rana,x\rbea,x\r\ncleo,x\n");
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 4]);
    }

    #[test]
    fn json_lines_may_hold_lists_and_nothing_unknown() {
        let file = r#"
{"name":"a","password_hash":"secret-hash","scopes":["x","y"]}
{"name":"b","password_hash":"secret-hash","admin":true}
{"name":["c"],"password_hash":"secret-hash"}
["a"]
{"name":"d"}
nonsense
"#;
        let found = problems(ImportFormat::JsonLines, file);
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 4, 5, 6, 7]);
        assert!(found[1].1.contains("admin") && found[4].1.contains("password_hash"), "{found:?}");
        assert!(!format!("{found:?}").contains("secret"), "{found:?}");
    }

    #[test]
    fn a_file_as_a_whole_is_refused() {
        for bad in ["", "\n", "name,email\na,b\n", "name,password_hash,name\n", "name,password_hash,admin\n"] {
            assert!(ImportFormat::Csv.read(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(ImportFormat::JsonLines.read(b"\n\n").is_err());
    }
}
