//! Events as comma-separated values (RFC 4180).

use ficha_authority::EventView;

const HEADINGS: [&str; 12] = [
    "number",
    "at",
    "event",
    "actor_kind",
    "actor_name",
    "user",
    "client",
    "session",
    "address",
    "request_id",
    "detail",
    "hash",
];

/// The line with the names of the columns.
pub fn head() -> Vec<u8> {
    write(std::iter::once(HEADINGS.map(str::to_owned)))
}

/// A line for each event.
pub fn rows(events: &[EventView]) -> Vec<u8> {
    write(events.iter().map(row))
}

fn row(event: &EventView) -> [String; 12] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let id = |id: Option<uuid::Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    [
        event.number.map(|number| number.to_string()).unwrap_or_default(),
        event.at.clone(),
        event.event.clone(),
        event.actor.kind.clone(),
        text(&event.actor.name),
        id(event.user),
        text(&event.client),
        id(event.session),
        text(&event.address),
        text(&event.request_id),
        event.detail.as_ref().map(ToString::to_string).unwrap_or_default(),
        text(&event.hash),
    ]
}

fn write(rows: impl Iterator<Item = [String; 12]>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        // Writing to memory does not fail.
        let _ = writer.write_record(row.map(harmless));
    }
    writer.into_inner().unwrap_or_default()
}

/// A spreadsheet takes a cell that begins so for a formula, and names come from outside.
fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (cell, shown) in [("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@a", "'@a"), ("a=1", "a=1"), ("", "")]
        {
            assert_eq!(harmless(cell.into()), shown);
        }
    }

    #[test]
    fn a_line_has_a_cell_for_each_heading() {
        let text = String::from_utf8(head()).unwrap();
        assert_eq!(text.trim_end().split(',').count(), HEADINGS.len());
    }
}
