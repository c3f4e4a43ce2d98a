//! What rows are made of: a cluster and a strategy.

use super::Plan;
use crate::play::{self, assert_all_at, assert_replicating_at, set_as};
use refit_integration::stage::{Fleet, Stage};
use refit_shared::plan::document;

#[derive(Debug)]
pub struct Base {
    /// As the simulated matrix has it, where it has it.
    pub name: &'static str,
    role: &'static str,
    fleet: fn(&str) -> Fleet,
    strategy: Option<&'static str>,
    end: End,
    /// Drawn by the sample of `make test`, too; the others' rows are only played by `make matrix`.
    pub in_sample: bool,
}

/// What the servers are to each other at the end.
#[derive(Debug, Clone, Copy)]
enum End {
    Group,
    Replicating(&'static [&'static str]),
    Alone,
}

pub const BASES: [Base; 5] = [
    Base {
        name: "patch within a series",
        role: "older",
        fleet: Fleet::of_three,
        strategy: None,
        end: End::Group,
        in_sample: true,
    },
    Base {
        name: "change of series",
        role: "previous-series",
        fleet: Fleet::of_three,
        strategy: None,
        end: End::Group,
        in_sample: false,
    },
    Base {
        name: "replicas first",
        role: "older",
        fleet: Fleet::source_with_two_replicas,
        strategy: Some("replicas-first"),
        end: End::Replicating(&["db2:db1", "db3:db1"]),
        in_sample: false,
    },
    Base {
        name: "switchover",
        role: "older",
        fleet: Fleet::source_with_two_replicas,
        strategy: Some("switchover"),
        end: End::Replicating(&["db1:db2", "db3:db2"]),
        in_sample: false,
    },
    Base {
        name: "single server",
        role: "older",
        fleet: Fleet::standalone,
        strategy: None,
        end: End::Alone,
        in_sample: true,
    },
];

impl Base {
    pub fn set(&self) -> Stage {
        set_as(self.role, self.fleet)
    }

    pub fn is_group(&self) -> bool {
        matches!(self.end, End::Group)
    }

    /// The plan's file on ctl, and what is in it.
    pub fn plan(&self, stage: &Stage) -> (String, Plan) {
        let more: Vec<&str> = self
            .strategy
            .iter()
            .flat_map(|strategy| ["--strategy", strategy])
            .collect();
        let file = play::plan(stage, &play::target(stage, "newest"), &more);
        let text = stage.lab.exec("ctl", &["cat", &file]).unwrap();
        let plan = document::read(&text.ok("read the plan").unwrap()).unwrap();
        (file, plan)
    }

    /// From and to.
    pub fn versions(&self) -> String {
        let version = |role| play::mysql_version(&play::lab().version(role).unwrap());
        format!("{} → {}", version(self.role), version("newest"))
    }

    /// Versions, packages, membership or replication, and who takes writes.
    pub fn assert_upgraded(&self, stage: &Stage) {
        let target = play::target(stage, "newest");
        match self.end {
            End::Group => drop(assert_all_at(stage, &target)),
            End::Replicating(links) => drop(assert_replicating_at(stage, links, &target)),
            End::Alone => {
                let ask = |statement| stage.lab.sql("db1", statement).unwrap();
                assert!(ask("SELECT VERSION()").starts_with(&target));
                let writable = "SELECT @@GLOBAL.super_read_only + @@GLOBAL.read_only + @@GLOBAL.offline_mode = 0";
                assert_eq!(ask(writable), "1", "it serves");
            }
        }
    }
}
