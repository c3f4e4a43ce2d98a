//! The registry is what stands in the code, and what the page says.

use refit_faults::POINTS;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The registry, for people. Not in the crate: a daemon has no use for it.
fn page() -> String {
    let mut page = String::from(
        "# Fault points\n\n\
         Generated from `shared/faults/src/points.rs` (`REFIT_WRITE_DOCS=1 cargo test -p refit-faults`). They are in builds with the feature\n\
         `faults` of `refit-controller` and `refit-agent` only; nothing of them is in a release.\n\n\
         `REFIT_FAULTS='POINT=ACTION;POINT=ACTION@N'`: each time the point is met, or only the Nth time. `crash` ends the process at once,\n\
         `error` fails what stands there, `delay:500ms` (or `2s`) waits, `drop` leaves it out as if it had been done, `duplicate` does it twice.\n\
         A program with a rule that is wrong does not start, and names the points that there are.\n\n\
         | point | program | actions | when it is met |\n| --- | --- | --- | --- |\n",
    );
    for point in POINTS {
        // Writing to a string does not fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            point.name,
            point.program,
            point.actions.join(", "),
            point.what
        );
    }
    page
}

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

/// A build without the feature does not even know the variable.
#[cfg(not(feature = "armed"))]
#[test]
fn nothing_of_it_is_in_a_build_without_the_feature() {
    assert_eq!(refit_faults::hit!("call/before"), Ok(refit_faults::Go::On));
    assert_eq!(refit_faults::at!("call/before"), Ok(refit_faults::Go::On));
    assert!(refit_faults::arm().is_ok());
    assert_eq!(size_of::<refit_faults::Injected>(), 0);
}
