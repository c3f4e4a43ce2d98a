//! `refit check --html`: the result as one page that needs nothing else: no script, no font, no request to anywhere.

use super::check::{counts, passed, verdict};
use refit_proto::operator::{Judgement, ManualView};
use refit_shared::checks::{CheckResult, Finding, Level};

const STYLE: &str = include_str!("check.css");

pub fn page(judged: &Judgement) -> String {
    let [errors, warnings, notices] = counts(&judged.checks);
    let state = match (errors, warnings) {
        (0, 0) => "good",
        (0, _) => "warning",
        _ => "error",
    };
    let title = format!("{} to {}", escape(&judged.cluster), escape(&judged.target));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>Upgrade check: {title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<p class=\"kind\">Upgrade check</p>\n<h1>{title}</h1>\n<p>{}</p>\n</header>\n\
         <p class=\"verdict {state}\">{}</p>\n\
         <ul class=\"counts\"><li class=\"error\"><b>{errors}</b> errors</li><li class=\"warning\"><b>{warnings}</b> warnings</li>\
         <li class=\"notice\"><b>{notices}</b> notices</li><li class=\"good\"><b>{}</b> checks without findings</li></ul>\n",
        escape(&judged.server_address),
        verdict(judged),
        passed(judged).count(),
    );
    for level in [Level::Error, Level::Warning, Level::Notice] {
        for check in &judged.checks {
            let found: Vec<&Finding> = check.findings.iter().filter(|f| f.level == level).collect();
            if !found.is_empty() {
                section(check, level, &found, &mut out);
            }
        }
    }
    rest(judged, &mut out);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn section(check: &CheckResult, level: Level, found: &[&Finding], out: &mut String) {
    let class = match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Notice => "notice",
    };
    out.push_str(&format!(
        "<section class=\"{class}\">\n<h2><span>{level}</span> {}</h2>\n<p class=\"about\">{} {}<code>{}</code></p>\n\
         <table>\n<thead><tr><th>Where</th><th>What</th><th>What to do</th></tr></thead>\n<tbody>\n",
        escape(&check.title),
        escape(&check.description),
        link(check.link.as_deref()),
        escape(&check.id),
    ));
    for finding in found {
        out.push_str(&format!(
            "<tr><td>{}</td><td>{}</td><td class=\"fix\">{}</td></tr>\n",
            escape(&finding.object),
            escape(&finding.description),
            escape(&finding.fix)
        ));
    }
    out.push_str("</tbody>\n</table>\n");
    if level == Level::Error && check.may_override {
        out.push_str(&format!(
            "<p class=\"about\">Can be gone against with a reason: <code>refit plan --override {} --reason …</code></p>\n",
            escape(&check.id)
        ));
    }
    out.push_str("</section>\n");
}

fn rest(judged: &Judgement, out: &mut String) {
    if !judged.manual.is_empty() {
        out.push_str("<section>\n<h2>For a person to check</h2>\n<dl>\n");
        for ManualView {
            title,
            description,
            link: page,
            ..
        } in &judged.manual
        {
            let (title, description) = (escape(title), escape(description));
            let page = link(page.as_deref());
            out.push_str(&format!("<dt>{title}</dt><dd>{description} {page}</dd>\n"));
        }
        out.push_str("</dl>\n</section>\n");
    }
    let mut list = |title: &str, with_versions: bool, checks: Vec<&CheckResult>| {
        if checks.is_empty() {
            return;
        }
        out.push_str(&format!(
            "<details>\n<summary>{title}: {}</summary>\n<dl>\n",
            checks.len()
        ));
        for check in checks {
            let registered = refit_shared::checks::check(&check.id).filter(|_| with_versions);
            let versions = registered.map(|check| format!("Applies: {}. ", check.applies));
            out.push_str(&format!(
                "<dt>{} <code>{}</code></dt><dd>{}{}</dd>\n",
                escape(&check.title),
                escape(&check.id),
                escape(&versions.unwrap_or_default()),
                escape(&check.description)
            ));
        }
        out.push_str("</dl>\n</details>\n");
    };
    list("Checks without findings", false, passed(judged).collect());
    let apart = judged.checks.iter().filter(|check| !check.applies);
    list(
        "Checks that do not apply between these versions",
        true,
        apart.collect(),
    );
}

/// Only the manual's own pages are linked to.
fn link(to: Option<&str>) -> String {
    match to {
        Some(to) if to.starts_with("https://") => {
            format!("<a href=\"{}\" rel=\"noreferrer\">Manual</a> ", escape(to))
        }
        _ => String::new(),
    }
}

/// What came from a host is text on the page, never part of it.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push('\n'),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
