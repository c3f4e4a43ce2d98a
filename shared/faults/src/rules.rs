//! What is to happen at which point: `POINT=ACTION[@N]`, several with `;` between them.

use crate::points::{POINTS, Point};
use std::fmt;
use std::time::Duration;

/// What can be made to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The process ends at once, as by `kill -9`.
    Crash,
    /// What stands there fails.
    Error,
    /// It takes longer.
    Delay(Duration),
    /// It is left out, and goes on as if it had been done.
    Drop,
    /// It is done twice.
    Duplicate,
}

impl Action {
    pub fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Error => "error",
            Self::Delay(_) => "delay",
            Self::Drop => "drop",
            Self::Duplicate => "duplicate",
        }
    }
}

/// One rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub point: &'static str,
    pub action: Action,
    /// Only the Nth time that the point is met, from 1; `None`: each time.
    pub only: Option<u64>,
}

/// Every rule that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRules(pub Vec<String>);

impl fmt::Display for BadRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the rules for fault points are wrong:")?;
        for why in &self.0 {
            writeln!(f, "  {why}")?;
        }
        writeln!(
            f,
            "a rule is POINT=ACTION or POINT=ACTION@N; the points are"
        )?;
        for point in POINTS {
            writeln!(f, "  {} ({})", point.name, point.actions.join(", "))?;
        }
        Ok(())
    }
}

impl std::error::Error for BadRules {}

/// Reads rules; all that is wrong is told at once.
pub fn parse(text: &str) -> Result<Vec<Rule>, BadRules> {
    let (mut rules, mut wrong) = (Vec::new(), Vec::new());
    for one in text.split(';').map(str::trim).filter(|one| !one.is_empty()) {
        match rule(one) {
            Ok(rule) => rules.push(rule),
            Err(why) => wrong.push(format!("{one:?}: {why}")),
        }
    }
    if wrong.is_empty() {
        Ok(rules)
    } else {
        Err(BadRules(wrong))
    }
}

fn rule(text: &str) -> Result<Rule, String> {
    let (name, what) = text.split_once('=').ok_or("there is no =")?;
    let known = |point: &&Point| point.name == name.trim();
    let point = POINTS
        .iter()
        .find(known)
        .ok_or_else(|| format!("there is no point {:?}", name.trim()))?;
    let (action, only) = match what.split_once('@') {
        None => (what.trim(), None),
        Some((action, times)) => {
            let times: u64 = times
                .trim()
                .parse()
                .map_err(|_| "behind @ there must be a number")?;
            if times == 0 {
                return Err("the first time is @1".to_owned());
            }
            (action.trim(), Some(times))
        }
    };
    let action = match action.split_once(':') {
        Some(("delay", time)) => Action::Delay(duration(time)?),
        Some(_) => return Err("only a delay has a time".to_owned()),
        None => match action {
            "crash" => Action::Crash,
            "error" => Action::Error,
            "drop" => Action::Drop,
            "duplicate" => Action::Duplicate,
            "delay" => return Err("a delay needs a time, as in delay:500ms".to_owned()),
            other => return Err(format!("{other:?} is no action")),
        },
    };
    if !point.actions.contains(&action.name()) {
        return Err(format!(
            "{} can't be told to {}, only to {}",
            point.name,
            action.name(),
            point.actions.join(", ")
        ));
    }
    Ok(Rule {
        point: point.name,
        action,
        only,
    })
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time: write 500ms or 2s");
    let (number, unit): (&str, fn(u64) -> Duration) = match text.strip_suffix("ms") {
        Some(number) => (number, Duration::from_millis),
        None => (
            text.strip_suffix('s').ok_or_else(wrong)?,
            Duration::from_secs,
        ),
    };
    number.parse().map(unit).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read() {
        let rules = parse(
            "ledger.write/after=crash@3; journal.append/before=error;call/reply=delay:500ms;",
        );
        let rule = |point, action, only| Rule {
            point,
            action,
            only,
        };
        assert_eq!(
            rules.unwrap(),
            [
                rule("ledger.write/after", Action::Crash, Some(3)),
                rule("journal.append/before", Action::Error, None),
                rule(
                    "call/reply",
                    Action::Delay(Duration::from_millis(500)),
                    None
                ),
            ]
        );
        assert_eq!(parse("  ").unwrap(), []);
    }

    #[test]
    fn every_mistake_is_told_with_the_points_that_there_are() {
        let text = "nowhere=crash;call/reply=explode;call/reply=delay;call/reply=delay:soon;call/reply=crash@0;\
                    call/reply=crash@x;call/reply;call/reply=error:1s;ledger.write/after=duplicate";
        let wrong = parse(text).unwrap_err();
        assert_eq!(wrong.0.len(), 9, "{wrong}");
        let said = wrong.to_string();
        assert!(said.contains("there is no point \"nowhere\""), "{said}");
        assert!(
            said.contains("ledger.write/after can't be told to duplicate"),
            "{said}"
        );
        for point in POINTS {
            assert!(said.contains(point.name), "{said}");
        }
    }
}
