//! Answering a survey: one question after the other, each with its own limit, all within a bound. What could not be answered is
//! an answer with a reason, never a gap.

use crate::host::{Host, HostResult};
use refit_shared::config::ConfigFiles;
use refit_shared::observation::Fact;
use refit_shared::survey::{Address, Listing, Question, Survey, Unreached};
use refit_shared::table::{TableFacts, TableName};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A whole survey; what is not reached by then is told so. Shorter than the controller waits.
const WHOLE: Duration = Duration::from_secs(35);
/// For all tables that were named.
const TABLES: Duration = Duration::from_secs(10);
/// For all addresses; they are tried at once, and each has limits of its own.
const ADDRESSES: Duration = Duration::from_secs(15);
/// Beyond a question's own limit, for the way there and back.
const GRACE: Duration = Duration::from_secs(1);

/// Answers every question, and tells about every table.
pub async fn answer(
    host: &Host,
    questions: impl IntoIterator<Item = Question>,
    tables: &[TableName],
) -> Survey {
    let end = Instant::now() + WHOLE;
    let mut survey = Survey::default();
    if !tables.is_empty() {
        survey.tables = Some(about(host, tables).await);
    }
    for question in questions {
        let fact = match end.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() && question.of_the_files() => {
                let (fact, config) = option_files(host, question, left).await;
                survey.config = config;
                fact
            }
            Some(left) if !left.is_zero() => one(host, question, left).await,
            _ => Fact::Unknown(format!("the survey took longer than {} s", WHOLE.as_secs())),
        };
        survey.answers.insert(question, fact);
    }
    survey
}

/// What the server's dictionary says of the tables.
async fn about(host: &Host, tables: &[TableName]) -> Fact<BTreeMap<TableName, TableFacts>> {
    match timeout(TABLES, host.mysql.tables(tables)).await {
        Ok(Ok(facts)) => Fact::Known(tables.iter().cloned().zip(facts).collect()),
        Ok(Err(why)) => Fact::Unknown(why.to_string()),
        Err(_) => Fact::Unknown(format!("no answer within {} s", TABLES.as_secs())),
    }
}

/// Which of these addresses can't be reached from here.
pub async fn unreached(host: &Host, addresses: &[Address]) -> Fact<BTreeMap<Address, Unreached>> {
    match timeout(ADDRESSES, host.machine.unreached(addresses)).await {
        Ok(Ok(told)) => Fact::Known(told),
        Ok(Err(why)) => Fact::Unknown(why.to_string()),
        Err(_) => Fact::Unknown(format!("no answer within {} s", ADDRESSES.as_secs())),
    }
}

/// The files come beside the listing, which only counts them.
async fn option_files(
    host: &Host,
    question: Question,
    left: Duration,
) -> (Fact<Listing>, Option<ConfigFiles>) {
    let limit = (question.limit() + GRACE).min(left);
    match timeout(limit, host.files.config_files()).await {
        Ok(Ok(config)) => {
            let listing = Listing {
                total: config.files.len() as u64,
                rows: Vec::new(),
            };
            (Fact::Known(listing), Some(config))
        }
        Ok(Err(why)) => (Fact::Unknown(why.to_string()), None),
        Err(_) => {
            let why = format!("no answer within {} s", limit.as_secs_f32());
            (Fact::Unknown(why), None)
        }
    }
}

async fn one(host: &Host, question: Question, left: Duration) -> Fact<Listing> {
    let limit = (question.limit() + GRACE).min(left);
    let asked = async {
        let answer: HostResult<Listing> = if question.of_the_machine() {
            host.machine.ask(question).await
        } else {
            host.mysql.ask(question).await
        };
        answer
    };
    match timeout(limit, asked).await {
        Ok(Ok(listing)) => Fact::Known(listing),
        Ok(Err(why)) => Fact::Unknown(why.to_string()),
        Err(_) => Fact::Unknown(format!("no answer within {} s", limit.as_secs_f32())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simhost::{Beginning, FaultAction, SimWorld, Timings};
    use refit_shared::ids::MemberName;
    use refit_shared::survey::everything;
    use refit_shared::version::PackageVersion;
    use std::sync::atomic::{AtomicBool, Ordering};

    const HOUR: Duration = Duration::from_secs(3600);

    fn world() -> (SimWorld, Host) {
        let m1 = MemberName::new("m1").unwrap();
        let world = SimWorld::begin(Beginning {
            members: vec![m1.clone()],
            installed: PackageVersion::new("9.7.3-1").unwrap(),
            offered: Vec::new(),
            timings: Timings::STANDARD,
        });
        let host = world.ports(&m1).host();
        (world, host)
    }

    fn why<T>(fact: &Fact<T>) -> &str {
        match fact {
            Fact::Known(_) => "",
            Fact::Unknown(why) => why,
        }
    }

    /// A slow answer costs its own limit, and no other answer.
    #[tokio::test(start_paused = true)]
    async fn a_question_without_an_answer_in_time_is_told_and_the_next_one_asked() {
        for (slow, question) in [
            ("mysql.ask", Question::RowFormats),
            ("machine.ask", Question::MemoryAvailable),
            ("files.config_files", Question::OptionFiles),
        ] {
            let (world, host) = world();
            let first = AtomicBool::new(true);
            world.faults(move |_, point| {
                if point == slow && first.swap(false, Ordering::Relaxed) {
                    FaultAction::Delay(HOUR)
                } else {
                    FaultAction::Continue
                }
            });
            let began = Instant::now();
            let asked = [question, Question::NoPrimaryKey, Question::Confinement];
            let survey = answer(&host, asked, &[]).await;
            assert_eq!(why(&survey.answers[&question]), "no answer within 6 s");
            for other in &asked[1..] {
                assert_eq!(why(&survey.answers[other]), "", "{other}");
            }
            assert!(began.elapsed() < Duration::from_secs(7), "{slow}");
        }
    }

    /// Whoever asks waits for a while only: what was not reached by then is told, and nothing is left out.
    #[tokio::test(start_paused = true)]
    async fn a_survey_ends_in_time_with_an_answer_to_every_question() {
        let (world, host) = world();
        world.faults(|_, _| FaultAction::Delay(HOUR));
        let began = Instant::now();
        let tables = ["shop.items".parse().unwrap()];
        let survey = answer(&host, everything(), &tables).await;
        assert!(began.elapsed() <= WHOLE + GRACE, "{:?}", began.elapsed());
        assert!(survey.answers.keys().copied().eq(everything()));
        for (question, fact) in &survey.answers {
            assert!(!why(fact).is_empty(), "{question}");
        }
        let last = survey.answers.values().next_back().unwrap();
        assert_eq!(why(last), "the survey took longer than 35 s");
        let tables = survey.tables.unwrap();
        assert_eq!(why(&tables), "no answer within 10 s");
        let reached = unreached(&host, &[]).await;
        assert_eq!(why(&reached), "no answer within 15 s");
    }
}
