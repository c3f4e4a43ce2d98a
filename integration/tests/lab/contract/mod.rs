//! The contract of the agent's host ports on real hosts: the real service manager, package manager, server and files keep what the
//! simulated ones keep. Afterwards each host is as it was.

mod group;
mod replica;

use crate::play::*;
use refit_integration::stage::{Fleet, Stage};

/// Has the promises kept, in the agent's place.
struct Judge<'s> {
    stage: &'s Stage,
}

const TABLE: &str = "refit_load.contract";

impl<'s> Judge<'s> {
    /// Makes the table on the server that takes writes, and room on every host.
    fn on(stage: &'s Stage) -> Self {
        let judge = Self { stage };
        let world = stage.world().unwrap();
        let writable = world.writable()[0].to_owned();
        judge.run(
            &writable,
            &format!(
                "CREATE TABLE {TABLE} (id INT AUTO_INCREMENT PRIMARY KEY, note TEXT) ENGINE = InnoDB; \
                 INSERT INTO {TABLE} VALUES (1, 'one'), (2, 'two')"
            ),
        );
        let password = stage.lab.call(["app-password"]).unwrap();
        let password = password.ok("app-password").unwrap();
        for member in &stage.members {
            let from = std::path::Path::new(password.trim());
            let file = "/root/refit_app.password";
            stage.lab.put(member, from, file).unwrap();
            judge.agent(member, "stop");
        }
        judge
    }

    fn agent(&self, member: &str, verb: &str) {
        let done = self
            .stage
            .lab
            .exec(member, &["systemctl", verb, "refit-agent"]);
        done.unwrap().ok("the agent makes room").unwrap();
    }

    fn run(&self, host: &str, statements: &str) -> String {
        self.stage.lab.sql(host, statements).unwrap()
    }

    fn executed(&self, host: &str) -> String {
        self.run(host, "SELECT @@GLOBAL.gtid_executed")
    }

    fn rows(&self, host: &str) -> String {
        let rows = format!("SELECT GROUP_CONCAT(id, COALESCE(note, '-') ORDER BY id) FROM {TABLE}");
        self.run(host, &rows)
    }

    /// All promises are kept, and there are more than so many.
    fn asks(&self, host: &str, more: &[&str], at_least: usize) {
        let other = self.stage.lab.version("newest").unwrap();
        let mut argv = vec![
            "/opt/refit/bin/refit-contract",
            "--this-is-a-lab",
            "--table",
            TABLE,
            "--other",
            &other,
        ];
        argv.extend(more);
        let judged = self.stage.lab.exec(host, &argv).unwrap();
        println!("{}{}", judged.stdout, judged.stderr);
        let promises = judged.stdout.matches("kept    ").count();
        assert_eq!(judged.code, 0, "a promise is broken, see above");
        assert!(promises >= at_least, "{promises} promises");
    }

    /// Both have the same transactions and the same rows.
    fn assert_equal(&self, one: &str, other: &str) {
        assert_eq!(self.executed(one), self.executed(other), "transactions");
        assert_eq!(self.rows(one), self.rows(other), "rows");
    }
}

impl Drop for Judge<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            for member in &self.stage.members {
                self.agent(member, "start");
            }
        }
    }
}

#[test]
fn a_real_host_keeps_the_contract_of_its_ports() {
    a_host_keeps("--except", 60);
}

#[test]
fn a_real_host_keeps_the_contract_of_rehearsals() {
    a_host_keeps("--only", 6);
}

/// Only the promises of rehearsals, or all others.
fn a_host_keeps(which: &str, at_least: usize) {
    let stage = set_as("older", Fleet::standalone);
    let judge = Judge::on(&stage);
    let state = || {
        let world = stage.world().unwrap();
        (world, judge.executed("db1"), judge.rows("db1"))
    };
    let before = state();
    judge.asks("db1", &[which, "Rehearsals: "], at_least);
    assert_eq!(state(), before, "the host is as it was");
}
