//! `refit check`: findings grouped worst first; and as JSON in the shape of MySQL Shell's `checkForServerUpgrade`.

use super::{Style, clean};
use refit_proto::operator::{Judgement, ManualView};
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
            if level == Level::Error && check.may_override {
                let how = format!(
                    "`refit plan --override {} --reason …` goes on against it",
                    check.id
                );
                out.push_str(&format!("  {}\n", style.dim(&how)));
            }
            if let Some(link) = &check.link {
                out.push_str(&format!("  {}\n", style.dim(&clean(link))));
            }
            // What has one fix is told together, with the fix once.
            for alike in found.chunk_by(|a, b| a.fix == b.fix) {
                for finding in alike {
                    out.push_str(&format!(
                        "  {}: {}\n",
                        style.bold(&clean(&finding.object)),
                        clean(&finding.description)
                    ));
                }
                out.push_str(&format!("    fix: {}\n", clean(&alike[0].fix)));
            }
        }
    }
    if !judged.manual.is_empty() {
        out.push_str(&format!("\n{}\n", style.bold("FOR A PERSON TO CHECK")));
        for check in &judged.manual {
            out.push_str(&format!(
                "  {}: {}\n",
                style.bold(&clean(&check.title)),
                clean(&check.description)
            ));
        }
    }
    let passed = passed(judged).count();
    let apart = judged.checks.iter().filter(|check| !check.applies).count();
    let [errors, warnings, notices] = counts(&judged.checks);
    out.push_str(&format!(
        "\n{}, {}, {}; {} without findings",
        counted(errors, "error"),
        counted(warnings, "warning"),
        counted(notices, "notice"),
        counted(passed, "check"),
    ));
    if apart > 0 {
        out.push_str(&format!(
            ", {apart} that do not apply between these versions"
        ));
    }
    out.push('\n');
    let verdict = verdict(judged);
    let paint = match (errors, warnings) {
        (0, 0) => style.good(verdict),
        (0, _) => style.warn(verdict),
        _ => style.bad(verdict),
    };
    out.push_str(&format!("{paint}\n"));
    out
}

/// `1 error`, `2 errors`.
pub(super) fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

/// The one line that says whether to go on.
pub(super) fn verdict(judged: &Judgement) -> &'static str {
    match counts(&judged.checks) {
        [0, 0, _] => "The upgrade can be planned.",
        [0, _, _] => "The upgrade can be planned; read the warnings first.",
        _ => "The upgrade is blocked until the errors are gone.",
    }
}

/// Checks that apply and found nothing.
pub(super) fn passed(judged: &Judgement) -> impl Iterator<Item = &CheckResult> {
    let checks = judged.checks.iter();
    checks.filter(|check| check.applies && check.findings.is_empty())
}

pub(super) fn counts(checks: &[CheckResult]) -> [usize; 3] {
    [Level::Error, Level::Warning, Level::Notice].map(|level| of_level(checks, level).count())
}

/// As `util.checkForServerUpgrade(..., {outputFormat: "JSON"})` prints it: its keys, and some of our own (`cluster`, `fix`,
/// `mayOverride`). `status` is ERROR where a check could not be made of every member.
pub fn json(judged: &Judgement) -> Value {
    let mut hosts = vec![judged.cluster.as_str()];
    let servers = judged.server_address.split(", ");
    hosts.extend(servers.map(|server| server.split(' ').next().unwrap_or_default()));
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
                    "dbObjectType": finding.object_type(&hosts),
                    "description": finding.description,
                    "fix": finding.fix,
                })
            })
            .collect();
        json!({
            "id": check.id,
            "title": check.title,
            "status": if check.is_incomplete() { "ERROR" } else { "OK" },
            "description": check.description,
            "documentationLink": check.link,
            "mayOverride": check.may_override,
            "detectedProblems": problems,
        })
    };
    let manual = |check: &ManualView| {
        json!({
            "id": check.id,
            "title": check.title,
            "description": check.description,
            "documentationLink": check.link,
        })
    };
    let applying = judged.checks.iter().filter(|check| check.applies);
    json!({
        "serverAddress": judged.server_address,
        "serverVersion": judged.server_version,
        "cluster": judged.cluster,
        "targetVersion": judged.target,
        "errorCount": errors,
        "warningCount": warnings,
        "noticeCount": notices,
        "summary": verdict(judged),
        "checksPerformed": applying.map(check).collect::<Vec<_>>(),
        "manualChecks": judged.manual.iter().map(manual).collect::<Vec<_>>(),
    })
}
