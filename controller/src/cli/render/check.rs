//! `refit check`: findings grouped worst first; and as JSON in the shape of MySQL Shell's `checkForServerUpgrade`.

use super::{Style, clean};
use refit_proto::operator::Judgement;
use refit_shared::checks::{CheckResult, Level, of_level};
use serde_json::{Value, json};

pub fn text(judged: &Judgement, style: Style) -> String {
    let mut out = format!(
        "{} to {}: {}\n",
        style.bold(&judged.cluster),
        style.bold(&judged.target),
        clean(&judged.server_address)
    );
    for level in [Level::Error, Level::Warning, Level::Notice] {
        let label = match level {
            Level::Error => style.bad("ERROR"),
            Level::Warning => style.warn("WARNING"),
            Level::Notice => style.bold("NOTICE"),
        };
        for check in &judged.checks {
            let found: Vec<_> = check.findings.iter().filter(|f| f.level == level).collect();
            if found.is_empty() {
                continue;
            }
            out.push_str(&format!(
                "\n{label}  {}  {}\n",
                check.title,
                style.dim(&check.id)
            ));
            for finding in found {
                out.push_str(&format!(
                    "  {}: {}\n",
                    style.bold(&clean(&finding.object)),
                    clean(&finding.description)
                ));
                out.push_str(&format!("    fix: {}\n", clean(&finding.fix)));
            }
        }
    }
    let passed = judged
        .checks
        .iter()
        .filter(|check| check.findings.is_empty())
        .count();
    out.push_str(&format!("\n{} checks without findings", passed));
    let [errors, warnings, notices] = counts(&judged.checks);
    out.push_str(&format!(
        "; {errors} errors, {warnings} warnings, {notices} notices\n"
    ));
    out.push_str(&match (errors, warnings) {
        (0, 0) => format!("{}\n", style.good("The upgrade can be planned.")),
        (0, _) => format!(
            "{}\n",
            style.warn("The upgrade can be planned; read the warnings first.")
        ),
        _ => format!(
            "{}\n",
            style.bad("The upgrade is blocked until the errors are gone.")
        ),
    });
    out
}

fn counts(checks: &[CheckResult]) -> [usize; 3] {
    [Level::Error, Level::Warning, Level::Notice].map(|level| of_level(checks, level).count())
}

/// As `util.checkForServerUpgrade(..., {outputFormat: "JSON"})` prints it.
pub fn json(judged: &Judgement) -> Value {
    let [errors, warnings, notices] = counts(&judged.checks);
    let check = |check: &CheckResult| {
        let problems: Vec<Value> = check
            .findings
            .iter()
            .map(|finding| {
                let level = match finding.level {
                    Level::Error => "Error",
                    Level::Warning => "Warning",
                    Level::Notice => "Notice",
                };
                json!({
                    "level": level,
                    "dbObject": finding.object,
                    "description": finding.description,
                    "fix": finding.fix,
                })
            })
            .collect();
        json!({
            "id": check.id,
            "title": check.title,
            "status": "OK",
            "description": check.description,
            "detectedProblems": problems,
        })
    };
    json!({
        "serverAddress": judged.server_address,
        "cluster": judged.cluster,
        "targetVersion": judged.target,
        "errorCount": errors,
        "warningCount": warnings,
        "noticeCount": notices,
        "checksPerformed": judged.checks.iter().map(check).collect::<Vec<_>>(),
    })
}
