//! `ficha user import`

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, ValueEnum};
use ficha_authority::ImportFormat;
use ficha_client::admin::{CSV, JSON_LINES};
use zeroize::Zeroizing;

use crate::admin_context::{AdminContext, actor};
use crate::commands::job::{self, Shown};
use crate::declared::NewScopes;
use crate::error::CliError;
use crate::remote::Remote;
use crate::{home, output};

#[derive(Debug, Args)]
pub struct Import {
    /// The file; `-` reads standard input
    #[arg(value_parser = PathBufValueParser::new().map(home::expand))]
    file: PathBuf,
    /// How it is written [default: by the end of its name: .csv, .jsonl or .ndjson]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// With a header that names the columns
    Csv,
    /// One JSON object a line
    Jsonl,
}

impl Import {
    fn read(&self) -> Result<(Format, Zeroizing<Vec<u8>>), CliError> {
        let unknown = || CliError::Input("name the format: --format csv, or --format jsonl".into());
        let format = self.format.or_else(|| by_name(&self.file)).ok_or_else(unknown)?;
        let mut file = Zeroizing::new(Vec::new());
        let read = match self.file.as_os_str() == "-" {
            true => std::io::stdin().lock().read_to_end(&mut file),
            false => std::fs::File::open(&self.file).and_then(|mut open| open.read_to_end(&mut file)),
        };
        read.map_err(|error| CliError::Input(format!("{} can't be read: {error}", self.file.display())))?;
        Ok((format, file))
    }

    fn print(&self, done: Shown) -> Result<(), CliError> {
        let failed = done.failed;
        if self.json {
            done.print(true)?;
        } else {
            output::say(&format!("users imported: {}; there already: {}", done.changed(), done.unchanged))?;
            done.print_report()?;
        }
        match failed {
            0 => Ok(()),
            1 => Err(CliError::Input("1 line could not be used".into())),
            many => Err(CliError::Input(format!("{many} lines could not be used"))),
        }
    }
}

fn by_name(file: &Path) -> Option<Format> {
    match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" => Some(Format::Csv),
        "jsonl" | "ndjson" => Some(Format::Jsonl),
        _ => None,
    }
}

/// Imports users into the configured database.
pub async fn here(context: &AdminContext, arguments: Import) -> Result<(), CliError> {
    let (format, file) = arguments.read()?;
    let format = match format {
        Format::Csv => ImportFormat::Csv,
        Format::Jsonl => ImportFormat::JsonLines,
    };
    let before = NewScopes::all_here(context).await;
    let id = context.admin.import_users(&actor(), format, file).await?;
    NewScopes::since(&before, NewScopes::all_here(context).await).announce();
    arguments.print(job::work_here(context, id).await?)
}

/// Imports users at a server elsewhere.
pub async fn there(remote: &Remote, arguments: Import) -> Result<(), CliError> {
    let (format, file) = arguments.read()?;
    let kind = match format {
        Format::Csv => CSV,
        Format::Jsonl => JSON_LINES,
    };
    let before = NewScopes::all_there(remote).await;
    let id = remote.client.import_users(kind, file.to_vec()).await?;
    NewScopes::since(&before, NewScopes::all_there(remote).await).announce();
    arguments.print(job::watch_there(&remote.client, &id).await?)
}
