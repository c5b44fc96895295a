//! `ficha user import`

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, ValueEnum};
use ficha_authority::ImportFormat;
use ficha_client::admin::Job;
use zeroize::Zeroizing;

use crate::commands::job;
use crate::declared::NewScopes;
use crate::error::CliError;
use crate::home;
use crate::input_error::InputError;
use crate::output;
use crate::place::{Place, changed};
use crate::report::Report;

#[derive(Debug, Args)]
pub struct Import {
    /// The file; `-` reads standard input
    #[arg(value_parser = PathBufValueParser::new().map(home::expand))]
    file: PathBuf,
    /// How it is written [default: by the end of its name: .csv, .jsonl or .ndjson]
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// With a header that names the columns
    Csv,
    /// One JSON object a line
    Jsonl,
}

impl From<Format> for ImportFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Csv => Self::Csv,
            Format::Jsonl => Self::JsonLines,
        }
    }
}

impl Import {
    fn read(&self) -> Result<(ImportFormat, Zeroizing<Vec<u8>>), CliError> {
        let unknown = || InputError::Format(self.file.clone());
        let format = self.format.or_else(|| by_name(&self.file)).ok_or_else(unknown)?;
        let mut file = Zeroizing::new(Vec::new());
        let read = match self.file.as_os_str() == "-" {
            true => std::io::stdin().lock().read_to_end(&mut file),
            false => std::fs::File::open(&self.file).and_then(|mut open| open.read_to_end(&mut file)),
        };
        read.map_err(|why| InputError::File { path: self.file.clone(), why })?;
        Ok((format.into(), file))
    }
}

fn by_name(file: &Path) -> Option<Format> {
    match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" => Some(Format::Csv),
        "jsonl" | "ndjson" => Some(Format::Jsonl),
        _ => None,
    }
}

/// Imports users.
pub async fn run(place: &Place, report: Report, arguments: Import) -> Result<(), CliError> {
    let (format, file) = arguments.read()?;
    let before = NewScopes::all(place).await;
    let id = place.import_users(format, file).await?;
    NewScopes::since(&before, NewScopes::all(place).await).announce();
    print(report, &place.wait_for_job(id).await?)
}

fn print(report: Report, done: &Job) -> Result<(), CliError> {
    let line = format!("users imported: {}; there already: {}", changed(done), done.unchanged);
    let printed =
        report.say(&line, done).and_then(|()| if report.is_json() { Ok(()) } else { job::print_report(done) });
    let verdict = match done.failed {
        0 => Ok(()),
        many => Err(InputError::Lines(many).into()),
    };
    output::verdict(printed, verdict)
}
