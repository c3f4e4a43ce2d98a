//! Starting mysqld and following its error log to a truthful verdict.
//!
//! Never kills or gives up on a server that is upgrading its data directory, whatever the deadline says: that can ruin the data
//! for good. A server that ended is held down at once, so that nothing starts it again behind our back.

use super::log::LogPlace;
use super::{Notes, OpContext};
use crate::errorlog::{Line, Startup, Verdict};
use crate::host::{Host, HostError};
use refit_shared::observation::ServiceState;
use refit_shared::receipt::{Failure, FailureCode};
use refit_shared::version::MysqlVersion;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Where the log ended before the latest start by this rollout.
const PLACE: &str = "start-place";
const EVERY: Duration = Duration::from_millis(50);
/// How long the service manager may take to begin with a start job.
const BEGIN_WITHIN: Duration = Duration::from_secs(15);
/// How long the log may lag behind a server that answers already.
const LOG_WITHIN: Duration = Duration::from_secs(5);

/// Lifts the hold, starts the server and waits until it is ready. If it does not become ready it is held down again.
pub async fn start(host: &Host, cx: &OpContext, version: MysqlVersion) -> Result<Notes, Failure> {
    let place = cx.log.end().await.map_err(HostError::clean)?;
    cx.memory
        .put(PLACE, &place)
        .await
        .map_err(HostError::clean)?;
    let begun = begin(host).await.map_err(HostError::partial);
    let ended = match begun {
        Ok(()) => follow(host, cx, &place, version, false).await,
        Err(failure) => Err(failure),
    };
    held_if_failed(host, ended).await
}

/// Follows a start that is under way already.
pub async fn resume(host: &Host, cx: &OpContext, version: MysqlVersion) -> Result<Notes, Failure> {
    let place = place(cx).await?;
    let ended = follow(host, cx, &place, version, true).await;
    held_if_failed(host, ended).await
}

/// Waits while the server is upgrading. Without a deadline: interrupting an upgrade is worse than any wait.
pub async fn wait_while_upgrading(host: &Host, cx: &OpContext) -> Result<(), Failure> {
    let place = place(cx).await?;
    let mut lines = cx.log.follow(&place).await.map_err(HostError::partial)?;
    let mut startup = Startup::new();
    loop {
        for line in read_all(&mut *lines)? {
            startup.feed(&line);
        }
        let state = host.service.state().await;
        let starting = match &state {
            Ok(ServiceState::Activating) => true,
            // Not knowing is no reason to stop it.
            Err(_) => true,
            Ok(
                ServiceState::Active
                | ServiceState::Deactivating
                | ServiceState::Inactive
                | ServiceState::Failed,
            ) => false,
        };
        let verdict = startup.verdict(true);
        if !(starting && is_upgrading(&verdict)) {
            return match state {
                Ok(_) => Ok(()),
                Err(error) if cx.expired() => Err(error.partial()),
                Err(_) => {
                    sleep(EVERY).await;
                    continue;
                }
            };
        }
        cx.phase.say(format!("waiting to stop it: {verdict}"));
        sleep(EVERY).await;
    }
}

async fn place(cx: &OpContext) -> Result<LogPlace, Failure> {
    match cx.memory.get(PLACE).await.map_err(HostError::clean)? {
        Some(place) => Ok(place),
        None => cx.log.end().await.map_err(HostError::clean),
    }
}

async fn begin(host: &Host) -> Result<(), HostError> {
    host.files.set_hold(false).await?;
    host.service.reload_units().await?;
    if host.service.state().await? == ServiceState::Failed {
        host.service.reset_failed().await?;
    }
    host.service.begin_start().await
}

async fn held_if_failed(host: &Host, ended: Result<Notes, Failure>) -> Result<Notes, Failure> {
    let mut failure = match ended {
        Ok(notes) => return Ok(notes),
        Err(failure) => failure,
    };
    failure.partial = true;
    if let Err(error) = host.files.set_hold(true).await {
        failure
            .message
            .push_str(&format!("; and it could not be held down: {error}"));
    }
    Err(failure)
}

fn is_upgrading(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Checking
        | Verdict::UpgradingDictionary { .. }
        | Verdict::UpgradingServer { .. } => true,
        Verdict::Waiting
        | Verdict::Starting { .. }
        | Verdict::InnoDb
        | Verdict::Ready { .. }
        | Verdict::Refused(_)
        | Verdict::Died { .. } => false,
    }
}

async fn follow(
    host: &Host,
    cx: &OpContext,
    place: &LogPlace,
    version: MysqlVersion,
    under_way: bool,
) -> Result<Notes, Failure> {
    let mut lines = cx.log.follow(place).await.map_err(HostError::partial)?;
    let mut startup = Startup::new();
    if under_way {
        // Starts that ended before we looked don't count: only the one under way is judged.
        for line in read_all(&mut *lines)? {
            startup.feed(&line);
        }
    }
    let began = Instant::now();
    let mut alive_seen = under_way;
    let mut answers_since = None;
    let mut trouble = String::new();
    loop {
        let state = host.service.state().await;
        let process = host.service.main_pid().await;
        for line in read_all(&mut *lines)? {
            if begins_again(&startup, &line) {
                return Err(ended(&startup.verdict(false)));
            }
            startup.feed(&line);
        }
        let verdict = startup.verdict(true);
        cx.phase.say(verdict.to_string());
        match (state, process) {
            (Ok(ServiceState::Inactive | ServiceState::Failed), Ok(None)) => {
                // A start job that has not begun looks like a server that has ended.
                if alive_seen || began.elapsed() >= BEGIN_WITHIN || verdict != Verdict::Waiting {
                    return Err(ended(&startup.verdict(false)));
                }
            }
            (Ok(ServiceState::Active), Ok(Some(_))) => {
                alive_seen = true;
                match answer(host, version).await? {
                    Answer::Ready => {
                        let since = *answers_since.get_or_insert_with(Instant::now);
                        let said = matches!(verdict, Verdict::Ready { .. });
                        if said || since.elapsed() >= LOG_WITHIN {
                            return Ok(ready(version, began.elapsed(), said));
                        }
                    }
                    Answer::Nothing(why) => trouble = why,
                }
            }
            (Ok(_), Ok(_)) => alive_seen = true,
            (Err(error), _) | (_, Err(error)) => trouble = error.to_string(),
        }
        if cx.expired() {
            if !is_upgrading(&verdict) {
                let mut failure = cx.out_of_time("a server that is ready");
                failure
                    .message
                    .push_str(&format!(" ({verdict}; {trouble})"));
                return Err(failure);
            }
            cx.phase
                .say(format!("past its deadline, not interrupted: {verdict}"));
        }
        sleep(EVERY).await;
    }
}

/// The service manager started it once more: what it said before was its end.
fn begins_again(startup: &Startup, line: &str) -> bool {
    let begins = Line::parse(line).is_some_and(|line| line.code == 15015 || line.code == 10116);
    begins
        && !matches!(
            startup.verdict(true),
            Verdict::Waiting | Verdict::Starting { .. }
        )
}

enum Answer {
    Ready,
    Nothing(String),
}

/// Asks the server itself: the version that was asked for, and read-only.
async fn answer(host: &Host, version: MysqlVersion) -> Result<Answer, Failure> {
    let wrong = |why: String| Err(Failure::partial(FailureCode::Expectation, why));
    match host.mysql.facts().await {
        Ok(facts) if facts.version != version => {
            wrong(format!("mysqld is {}, not {version}", facts.version_string))
        }
        Ok(facts) if !facts.super_read_only => {
            // The drop-in did not take effect. A server outside its group must not take writes.
            let fenced = host.mysql.set_super_read_only(true).await;
            let now = match fenced {
                Ok(()) => "it is read-only now".to_owned(),
                Err(error) => format!("and could not be made read-only: {error}"),
            };
            wrong(format!(
                "mysqld started writable in spite of the maintenance drop-in; {now}"
            ))
        }
        Ok(_) => Ok(Answer::Ready),
        Err(error) => Ok(Answer::Nothing(error.to_string())),
    }
}

fn ready(version: MysqlVersion, took: Duration, said: bool) -> Notes {
    let mut notes = vec![format!(
        "mysqld {version} ready after {} ms",
        took.as_millis()
    )];
    if !said {
        notes.push("its error log does not say so".to_owned());
    }
    notes
}

fn ended(verdict: &Verdict) -> Failure {
    let code = match verdict {
        Verdict::Refused(_) => FailureCode::ServerRefused,
        Verdict::Died { .. }
        | Verdict::Waiting
        | Verdict::Starting { .. }
        | Verdict::InnoDb
        | Verdict::Checking
        | Verdict::UpgradingDictionary { .. }
        | Verdict::UpgradingServer { .. }
        | Verdict::Ready { .. } => FailureCode::ServerDied,
    };
    Failure::partial(code, verdict.to_string())
}

fn read_all(lines: &mut dyn super::log::LogLines) -> Result<Vec<String>, Failure> {
    let mut all = Vec::new();
    loop {
        let mut some = lines.next().map_err(HostError::partial)?;
        if some.is_empty() {
            return Ok(all);
        }
        all.append(&mut some);
    }
}
