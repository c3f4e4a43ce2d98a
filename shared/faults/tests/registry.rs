//! The registry is what stands in the code, and what the page says.

use refit_faults::{POINTS, page};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sources(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            into.push(path);
        }
    }
}

/// Where each point stands: the programs whose sources name it.
fn sites() -> BTreeMap<String, Vec<&'static str>> {
    let mut sites: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for program in ["controller", "agent"] {
        let mut files = Vec::new();
        sources(&root().join(program).join("src"), &mut files);
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            for macro_name in ["refit_faults::hit!(\"", "refit_faults::at!(\""] {
                for rest in text.split(macro_name).skip(1) {
                    let name = rest.split('"').next().unwrap().to_owned();
                    sites.entry(name).or_default().push(program);
                }
            }
        }
    }
    sites
}

#[test]
fn every_point_stands_at_one_place_of_its_program_and_no_other_does() {
    let registered: BTreeMap<String, Vec<&str>> = POINTS
        .iter()
        .map(|point| (point.name.to_owned(), vec![point.program]))
        .collect();
    assert_eq!(registered.len(), POINTS.len(), "a name is there twice");
    assert_eq!(sites(), registered);
}

#[test]
fn the_page_is_the_registry() {
    let path = root().join("docs/fault-points.md");
    if std::env::var_os("REFIT_WRITE_DOCS").is_some() {
        fs::write(&path, page()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page(),
        "docs/fault-points.md is not the registry: REFIT_WRITE_DOCS=1 cargo test -p refit-faults"
    );
}
