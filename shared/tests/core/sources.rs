//! Every rule about MySQL says where it comes from.

use std::path::{Path, PathBuf};

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.file_name().is_some_and(|name| name != "mod.rs") {
            found.push(path);
        }
    }
    found
}

/// The comment at the beginning of the file, which is that of all its tables and functions.
fn module_comment(text: &str) -> String {
    let lines = text.lines().take_while(|line| line.starts_with("//!"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_rule_table_cites_its_source() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rules");
    let all = files(&rules);
    assert!(all.len() > 12, "{all:?}");
    for file in all {
        let text = std::fs::read_to_string(&file).unwrap();
        let comment = module_comment(&text);
        let cites = ["Source: ", "Sources: "]
            .iter()
            .any(|word| comment.contains(word));
        assert!(
            cites,
            "{} does not say where its rules come from",
            file.display()
        );
        let where_from = [
            "MySQL manual",
            "release notes",
            "server source",
            "MYSQL.md",
            "real server",
            "MySQL Shell",
        ];
        let lower = comment.to_lowercase().replace('\n', " ");
        assert!(
            where_from
                .iter()
                .any(|word| lower.contains(&word.to_lowercase())),
            "{} cites nothing that can be looked up",
            file.display()
        );
    }
}
