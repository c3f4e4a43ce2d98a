//! What a gate makes of each look at its cluster: it holds, it does not, or it has held for long enough. Time is passed in.

use refit_shared::condition::Condition;
use refit_shared::expectation::Holds;
use refit_shared::plan::{Plan, freeze};
use refit_shared::topology::Sighting;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Who keeps to a plan's freeze of schemas and accounts.
#[derive(Debug)]
pub(super) struct Watch {
    pub plan: Arc<Plan>,
    /// The rollout's beginning, milliseconds since 1970.
    pub begun_unix_ms: i64,
    /// What was run before has been told by the gate that was passed then.
    pub told_unix_ms: i64,
}

/// One look.
#[derive(Debug)]
pub(super) struct Look {
    pub asked: Instant,
    pub told: Instant,
    pub seen: Sighting,
}

/// What a look has come to, in words for people.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// All has held for long enough. The notes are of what should be on record all the same.
    Passed(Vec<String>),
    /// All holds, for not long enough yet.
    Holding(String),
    Missing(String),
    /// Something is missing that no waiting brings.
    InVain(String),
}

/// A gate's memory between two looks.
#[derive(Debug)]
pub(super) struct Holding<'a> {
    conditions: &'a [Condition],
    hold: Duration,
    watch: &'a Watch,
    /// The end of the first look at which all held, and what was seen then.
    since: Option<(Instant, Sighting)>,
}

impl<'a> Holding<'a> {
    pub(super) fn new(conditions: &'a [Condition], hold: Duration, watch: &'a Watch) -> Self {
        Self {
            conditions,
            hold,
            watch,
            since: None,
        }
    }

    /// The hold counts from the end of the first good look to the beginning of the last: never longer than was seen. Replication must
    /// have moved on in between.
    pub(super) fn judge(&mut self, look: Look) -> Judgement {
        let Look { asked, told, seen } = look;
        let mut missing = self.each(|condition| condition.judge(&seen));
        if !missing.is_empty() {
            self.since = None;
            // It may be why.
            missing.extend(self.broken(&seen, self.watch.begun_unix_ms));
            let in_vain = |condition: &Condition| {
                condition.needs_an_act() && matches!(condition.judge(&seen), Holds::No(_))
            };
            let missing = missing.join("; ");
            return if self.conditions.iter().any(in_vain) {
                Judgement::InVain(missing)
            } else {
                Judgement::Missing(missing)
            };
        }
        let (since, first) = self.since.get_or_insert_with(|| (told, seen.clone()));
        let held = asked.saturating_duration_since(*since);
        if held < self.hold {
            let left = (self.hold - held).as_secs_f32();
            return Judgement::Holding(format!("all conditions hold; {left:.1} s to go"));
        }
        let first = first.clone();
        let stuck = match self.hold {
            Duration::ZERO => Vec::new(),
            _ => self.each(|condition| condition.goes_on(&first, &seen)),
        };
        if !stuck.is_empty() {
            return Judgement::Missing(stuck.join("; "));
        }
        Judgement::Passed(self.broken(&seen, self.watch.told_unix_ms))
    }

    fn each(&self, judge: impl Fn(&Condition) -> Holds) -> Vec<String> {
        let say = |condition: &Condition| match judge(condition) {
            Holds::Yes => None,
            Holds::No(why) => Some(why),
            Holds::Unknown(why) => Some(format!("can't tell whether {condition}: {why}")),
        };
        self.conditions.iter().filter_map(say).collect()
    }

    fn broken(&self, seen: &Sighting, since_unix_ms: i64) -> Vec<String> {
        freeze::broken(&self.watch.plan, seen, since_unix_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{member, plan, sighting};
    use refit_shared::expectation::Expectation;
    use refit_shared::observation::{
        ChannelDetail, ChannelFacts, Fact, ReplicationService, SchemaStatement, ServerFacts,
        ThreadState,
    };

    const SECOND: Duration = Duration::from_secs(1);
    const BEGUN: i64 = 1_000_000;
    const TOLD: i64 = 1_060_000;

    fn server<'s>(seen: &'s mut Sighting, name: &str) -> &'s mut ServerFacts {
        match seen.members.get_mut(&member(name)) {
            Some(Fact::Known(observation)) => match &mut observation.server {
                Fact::Known(server) => server,
                Fact::Unknown(why) => panic!("{why}"),
            },
            other => panic!("{other:?}"),
        }
    }

    fn has(seen: &mut Sighting, name: &str, transactions: u64) {
        let set = format!("aaaaaaaa-1111-1111-1111-111111111111:1-{transactions}");
        server(seen, name).gtid_executed = set.parse().unwrap();
    }

    /// m2 says that it follows m1.
    async fn following() -> Sighting {
        let mut seen = sighting().await;
        let source = server(&mut seen, "m1").uuid.clone();
        let on = ThreadState {
            service: ReplicationService::On,
            errno: 0,
            error: String::new(),
        };
        server(&mut seen, "m2").channels = Fact::Known(vec![ChannelFacts {
            name: String::new(),
            source_host: "m1".to_owned(),
            receiving: true,
            applying: true,
            last_error: String::new(),
            detail: Fact::Known(ChannelDetail {
                source_port: 3306,
                source_uuid: Some(source),
                user: "repl".to_owned(),
                auto_position: true,
                connect_retry_s: 60,
                retry_count: 10,
                ssl: true,
                get_public_key: false,
                auto_failover: false,
                delay_s: 0,
                filters: Vec::new(),
                received: Default::default(),
                receiver: on.clone(),
                applier: on,
                lag_ms: Some(0),
            }),
        }]);
        seen
    }

    fn follows() -> [Condition; 1] {
        [Condition::Replicates {
            member: member("m2"),
            channel: String::new(),
            source: member("m1"),
            behind: 1000,
        }]
    }

    /// A watch over m1's schemas.
    async fn watch() -> Watch {
        let mut plan = plan().await;
        plan.frozen.insert(member("m1"));
        Watch {
            plan: Arc::new(plan),
            begun_unix_ms: BEGUN,
            told_unix_ms: TOLD,
        }
    }

    fn look(begun: Instant, after: u32, seen: &Sighting) -> Look {
        let asked = begun + SECOND * after;
        Look {
            asked,
            told: asked,
            seen: seen.clone(),
        }
    }

    #[tokio::test]
    async fn a_gate_passes_when_all_has_held_and_replication_has_moved_on() {
        let (watch, conditions, begun) = (watch().await, follows(), Instant::now());
        let mut holding = Holding::new(&conditions, SECOND * 3, &watch);
        let mut seen = following().await;
        has(&mut seen, "m1", 500);
        has(&mut seen, "m2", 480);
        let first = holding.judge(look(begun, 0, &seen));
        assert_eq!(
            first,
            Judgement::Holding("all conditions hold; 3.0 s to go".to_owned())
        );
        has(&mut seen, "m1", 600);
        let Judgement::Missing(why) = holding.judge(look(begun, 3, &seen)) else {
            panic!("nothing has arrived");
        };
        assert!(
            why.contains("20 transactions have not arrived at m2"),
            "{why}"
        );
        has(&mut seen, "m2", 500);
        let passed = holding.judge(look(begun, 4, &seen));
        assert_eq!(passed, Judgement::Passed(Vec::new()));
    }

    #[tokio::test]
    async fn what_does_not_hold_begins_anew() {
        let (watch, conditions, begun) = (watch().await, follows(), Instant::now());
        let mut holding = Holding::new(&conditions, SECOND * 3, &watch);
        let good = following().await;
        let mut bad = good.clone();
        server(&mut bad, "m2").channels = Fact::Known(Vec::new());
        for (after, seen, holds) in [(0, &good, true), (2, &bad, false), (3, &good, true)] {
            let judged = holding.judge(look(begun, after, seen));
            assert_eq!(matches!(judged, Judgement::Holding(_)), holds, "{judged:?}");
        }
        assert!(matches!(
            holding.judge(look(begun, 5, &good)),
            Judgement::Holding(_)
        ));
        assert!(matches!(
            holding.judge(look(begun, 6, &good)),
            Judgement::Passed(_)
        ));
    }

    #[tokio::test]
    async fn who_breaks_the_freeze_is_told_once_on_record_and_always_while_it_waits() {
        let (watch, conditions, begun) = (watch().await, follows(), Instant::now());
        let mut seen = following().await;
        let ran = |text: &str, last_unix_ms| SchemaStatement {
            schema: Some("shop".to_owned()),
            text: text.to_owned(),
            times: 1,
            last_unix_ms,
        };
        server(&mut seen, "m1").schema_statements = Fact::Known(vec![
            ran("ALTER TABLE `late`", TOLD + 1),
            ran("ALTER TABLE `early`", BEGUN + 1),
            ran("ALTER TABLE `before`", BEGUN - 1),
        ]);
        let mut holding = Holding::new(&conditions, Duration::ZERO, &watch);
        let Judgement::Passed(notes) = holding.judge(look(begun, 0, &seen)) else {
            panic!("all holds");
        };
        let notes = notes.join("; ");
        assert!(
            notes.contains("`late`") && !notes.contains("`early`"),
            "{notes}"
        );

        server(&mut seen, "m2").channels = Fact::Known(Vec::new());
        let Judgement::Missing(why) = holding.judge(look(begun, 1, &seen)) else {
            panic!("m2 follows nobody");
        };
        assert!(why.contains("replicates from nobody"), "{why}");
        assert!(
            why.contains("`early`") && !why.contains("`before`"),
            "{why}"
        );
    }

    /// A source that logs statements again does so until somebody acts, however long it is waited for.
    #[tokio::test]
    async fn a_gate_does_not_wait_for_what_only_an_act_brings() {
        let (watch, begun) = (watch().await, Instant::now());
        let mut seen = following().await;
        let mut conditions = Vec::from(follows());
        conditions.push(Condition::Member {
            member: member("m1"),
            is: Expectation::LogFormat {
                is: "ROW".to_owned(),
            },
        });
        let logs = |seen: &mut Sighting, format: &str| {
            let variable = ("binlog_format".to_owned(), format.to_owned());
            server(seen, "m1").variables.extend([variable]);
        };
        logs(&mut seen, "STATEMENT");
        let mut holding = Holding::new(&conditions, Duration::ZERO, &watch);
        let Judgement::InVain(why) = holding.judge(look(begun, 0, &seen)) else {
            panic!("m1 logs statements");
        };
        assert!(why.contains("binlog_format is STATEMENT"), "{why}");
        logs(&mut seen, "ROW");
        let judged = holding.judge(look(begun, 1, &seen));
        assert!(matches!(judged, Judgement::Passed(_)), "{judged:?}");
    }
}
