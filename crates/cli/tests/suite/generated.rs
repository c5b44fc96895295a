//! The OpenAPI description, as tools of others read it: a linter, and a generator whose client then talks to a server.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::{Bench, skip};
use crate::interop::node;

/// What the generator is told: how to send files, and to run nothing on what it has made.
const SETTINGS: &str = "content_type_overrides:\n  application/jsonl: application/octet-stream\n  text/csv: \
                        application/octet-stream\npost_hooks: []\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn run(command: &mut Command) -> String {
    let ran = command.env("no_proxy", "*").output().unwrap();
    let text = [ran.stdout, ran.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(ran.status.success(), "{command:?}: {text}");
    text
}

#[test]
fn a_linter_finds_nothing_and_a_generated_client_parses_every_answer() {
    let generator = root().join("target/python/bin/openapi-python-client");
    let linter = root().join("target/node/node_modules/.bin/spectral");
    if !generator.is_file() || !linter.is_file() {
        return skip("openapi-python-client or spectral (.ci/python and .ci/node)");
    }
    let bench = Bench::new();
    let server = bench.serve();
    let password = server.first_password();
    let issuer = format!("http://{}", server.address);
    let file = bench.path("openapi.json");
    let description = run(Command::new("curl").args(["-s", &format!("{issuer}/openapi.json")]));
    std::fs::write(&file, description).unwrap();

    bench.write("rules.yaml", "extends: [\"spectral:oas\"]\n");
    let mut lint = Command::new(node(&root()));
    lint.arg(linter)
        .arg("lint")
        .arg(&file)
        .arg("--ruleset")
        .arg(bench.path("rules.yaml"))
        .args(["--fail-severity", "warn"]);
    assert!(run(&mut lint).contains("No results"));

    bench.write("settings.yaml", SETTINGS);
    let client = bench.path("ficha_generated");
    let mut generate = Command::new(generator);
    generate.args(["generate", "--meta", "none", "--fail-on-warning", "--path"]).arg(&file);
    generate.arg("--output-path").arg(client).arg("--config").arg(bench.path("settings.yaml"));
    run(&mut generate);

    let program = root().join("crates/cli/tests/interop/python/generated_client.py");
    let mut call = Command::new(root().join("target/python/bin/python"));
    call.arg(program).env("PYTHONPATH", bench.folder()).env("ISSUER", issuer).env("PASSWORD", password);
    assert!(run(&mut call).contains("answers parsed"));
}
