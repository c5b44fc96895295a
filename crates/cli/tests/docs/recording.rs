//! The picture of a terminal in the README: the console block of the README, drawn. Another test runs that block. Run with
//! `FICHA_TEST_RENEW=1` to draw it anew.

use crate::markdown::{Item, items, repository};

const PICTURE: &str = "docs/src/pictures/session.svg";

/// In pixels.
const LINE: usize = 19;
const LEFT: usize = 18;
const TOP: usize = 52;
const WIDTH: usize = 860;
/// How many characters fit into a line.
const COLUMNS: usize = 100;

#[test]
fn the_recording_shows_the_run_in_the_readme() {
    let block = items("README.md").into_iter().find_map(|item| match item {
        Item::Block(block) if block.language == "console" => Some(block),
        _ => None,
    });
    let drawn = draw(&lines(&block.unwrap().text));
    let path = repository().join(PICTURE);
    if std::env::var_os("FICHA_TEST_RENEW").is_some() {
        std::fs::write(&path, &drawn).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept, drawn, "{PICTURE} is not what the README shows; FICHA_TEST_RENEW=1 draws it anew");
}

/// A line, and whether it is typed.
fn lines(text: &str) -> Vec<(bool, String)> {
    let mut all = Vec::new();
    for line in text.lines() {
        let is_typed = line.starts_with("$ ");
        let characters: Vec<char> = line.chars().collect();
        for part in characters.chunks(COLUMNS) {
            all.push((is_typed, part.iter().collect()));
        }
    }
    all
}

fn draw(lines: &[(bool, String)]) -> String {
    let height = TOP + lines.len() * LINE + 10;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"t d\">\n\
         <title id=\"t\">A terminal: login, 200, logout, 401</title>\n\
         <desc id=\"d\">The server is started. admin logs in and asks who they are: 200. After a logout, the same request with \
         the same token is answered with 401, the token has been revoked.</desc>\n\
         <style>\n\
         text {{ font: 13.2px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; white-space: pre; }}\n\
         .typed {{ fill: #f4f4f2; }} .said {{ fill: #b9c0c8; }} .good {{ fill: #7fd88f; }} .bad {{ fill: #ff9a8d; }} .prompt {{ fill: #7db7ff; }}\n\
         @media (prefers-reduced-motion: no-preference) {{ g.line {{ animation: show 0.3s both; }} }}\n\
         @keyframes show {{ from {{ opacity: 0; }} to {{ opacity: 1; }} }}\n\
         </style>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" rx=\"10\" fill=\"#16191d\"/>\n\
         <circle cx=\"22\" cy=\"20\" r=\"6\" fill=\"#ff6058\"/><circle cx=\"42\" cy=\"20\" r=\"6\" fill=\"#ffbd2e\"/>\
         <circle cx=\"62\" cy=\"20\" r=\"6\" fill=\"#28c93f\"/>\n"
    );
    let mut seconds = 0.0;
    for (index, (is_typed, line)) in lines.iter().enumerate() {
        seconds += if *is_typed { 0.9 } else { 0.1 };
        let class = match line.as_str() {
            "200" => "good",
            "401" => "bad",
            _ if *is_typed => "typed",
            _ => "said",
        };
        let y = TOP + index * LINE;
        let shown = match line.strip_prefix("$ ") {
            Some(command) => format!("<tspan class=\"prompt\">$ </tspan>{}", escaped(command)),
            None => escaped(line),
        };
        svg.push_str(&format!(
            "<g class=\"line\" style=\"animation-delay:{seconds:.1}s\"><text x=\"{LEFT}\" y=\"{y}\" class=\"{class}\">{shown}</text></g>\n"
        ));
    }
    svg + "</svg>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
