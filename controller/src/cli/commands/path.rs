//! `path`: how to get from one release to another. Needs no controller and changes nothing.

use crate::cli::args::VendorArgument;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::{Exit, render};
use crate::releases_file;
use refit_shared::rules::path::{NoPath, path};
use refit_shared::rules::releases::{Date, ReleaseTable};
use refit_shared::rules::upgrade_path::Vendor;
use refit_shared::version::VersionWithUpdate;
use std::path::Path as FilePath;

pub fn run(
    output: &Output,
    from: &str,
    to: &str,
    vendor: VendorArgument,
    releases: Option<&FilePath>,
) -> Result<Exit, Failure> {
    let (read_from, read_to) = (version(from), version(to));
    let (from, to) = match (read_from, read_to) {
        (Ok(from), Ok(to)) => (from, to),
        (from, to) => {
            let wrong = [from.err(), to.err()].into_iter().flatten();
            return Err(Failure::refused("these are not MySQL versions")
                .reasons(wrong)
                .next("refit path 8.4.6 9.7.4"));
        }
    };
    let table = table(releases)?;
    let vendor = match vendor {
        VendorArgument::Upstream => Vendor::Upstream,
        VendorArgument::Percona => Vendor::Percona,
    };
    let now = jiff::Timestamp::now().as_millisecond();
    match path(&table, vendor, from, to, Date::of_unix_ms(now)) {
        Ok(found) => {
            output.show(&render::path::json(&found), |style| {
                render::path::text(&found, style)
            });
            Ok(Exit::Done)
        }
        Err(none) => Err(no_path(&none)),
    }
}

/// As a server, a package or a person calls it; another product's version is no MySQL version, however it looks.
fn version(text: &str) -> Result<VersionWithUpdate, String> {
    if text.to_ascii_lowercase().contains("mariadb") {
        return Err(format!(
            "{text:?} is a MariaDB version; its data can't be taken over in place"
        ));
    }
    VersionWithUpdate::parse_prefix(text).map_err(|error| error.to_string())
}

fn table(file: Option<&FilePath>) -> Result<ReleaseTable, Failure> {
    let Some(file) = file else {
        return Ok(ReleaseTable::built_in());
    };
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::refused(format!("cannot read {name}: {error}")))?;
    releases_file::parse(&name, &text).map_err(|error| Failure::refused(error.to_string()))
}

fn no_path(none: &NoPath) -> Failure {
    let mut failure = Failure::refused(none.to_string())
        .safe("A server that refuses leaves the data directory as it was.");
    if none.refused.server_code.is_none() {
        failure = failure.safe("");
    }
    failure.reasons(none.instead.iter().map(|way| format!("instead: {way}")))
}
