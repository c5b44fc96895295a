//! What can be checked about a block without running it.

use std::process::{Command, Stdio};

use crate::markdown::{Block, blocks};

#[test]
fn settings_are_settings() {
    let mut settings = 0;
    for block in of(&["toml"]) {
        let text = block.text.replace('…', "x");
        let is_manifest = text.contains("[dependencies]") || text.contains("[package]");
        if is_manifest {
            continue;
        }
        settings += 1;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ficha.toml");
        std::fs::write(&file, &text).unwrap();
        let mut config = Command::new(env!("CARGO_BIN_EXE_ficha"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("FICHA_")) {
            config.env_remove(name);
        }
        let ran = config.current_dir(folder.path()).arg("--config").arg(&file).arg("config").output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        // A part of a configuration may need another part, or a file that is not here.
        let lacks = ["is missing, but", "is not set", "which can't be read"];
        let is_known = ran.status.success() || lacks.iter().any(|text| said.contains(text));
        assert!(is_known, "{}: {said}", block.place());
    }
    assert!(settings > 5, "{settings}");
}

#[test]
fn json_is_json() {
    let mut documents = 0;
    for block in of(&["json"]) {
        // `…` stands for a value, or for more of them.
        let text = block.text.replace(", …", "").replace("\"…\"", "\"\"").replace('…', "0");
        documents += 1;
        let parsed = serde_json::from_str::<serde_json::Value>(&text);
        assert!(parsed.is_ok(), "{}: {}\n{text}", block.place(), parsed.unwrap_err());
    }
    assert!(documents > 4, "{documents}");
}

#[test]
fn shell_blocks_are_shell() {
    let mut scripts = 0;
    for block in of(&["sh"]) {
        scripts += 1;
        let ran = Command::new("bash").args(["-n", "-c", &block.text]).stdin(Stdio::null()).output().unwrap();
        assert!(ran.status.success(), "{}: {}", block.place(), String::from_utf8_lossy(&ran.stderr));
    }
    assert!(scripts > 90, "{scripts}");
}

#[test]
fn python_is_python() {
    if Command::new("python3").arg("--version").output().is_err() {
        assert_ne!(std::env::var("FICHA_TEST_REQUIRE").as_deref(), Ok("all"), "python3 is not installed");
        return;
    }
    for block in of(&["python"]) {
        let compile = "import sys; compile(sys.argv[1], sys.argv[2], 'exec')";
        let ran = Command::new("python3").args(["-c", compile, &block.text, &block.place()]).output().unwrap();
        assert!(ran.status.success(), "{}: {}", block.place(), String::from_utf8_lossy(&ran.stderr));
    }
}

/// The blocks in these languages.
pub fn of(languages: &[&str]) -> Vec<Block> {
    let is_wanted = |block: &Block| languages.contains(&block.language.split(',').next().unwrap_or_default());
    blocks().into_iter().filter(is_wanted).collect()
}
