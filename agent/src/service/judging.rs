//! Having the target's own mysqld judge option files for a check: its packages are fetched into the agent's cache, verified, unpacked
//! beside and never installed. Nothing of the server is changed, and an order always comes first.

use crate::host::{Host, HostResult};
use crate::operations::validate_config::{edit, fetched, library_files};
use crate::progress::Phase;
use crate::worker::Workplace;
use refit_shared::observation::Fact;
use refit_shared::survey::{Candidate, JUDGING, Judged, Question};
use tokio::time::timeout;

/// What it says, or why it was not asked.
pub async fn judge(place: &Workplace, candidate: &Candidate) -> Fact<Judged> {
    let phase = Phase::silent();
    let work = asked(&place.host, candidate, &phase);
    match timeout(JUDGING, place.bench.borrow(work)).await {
        Ok(Ok(Ok(judged))) => Fact::Known(judged),
        Ok(Ok(Err(why))) => Fact::Unknown(why),
        Ok(Err(occupied)) => Fact::Unknown(occupied.to_string()),
        Err(_) => Fact::Unknown(format!(
            "no answer within {} s; packages that have been fetched by then are kept",
            JUDGING.as_secs()
        )),
    }
}

async fn asked(host: &Host, candidate: &Candidate, phase: &Phase) -> Result<Judged, String> {
    let present = told(host.files.option_tree().await)?;
    let tree = edit(present, &candidate.files).map_err(|why| why.to_string())?;
    let packages = told(fetched(host, &candidate.packages, phase).await)?;
    let loaded = told(host.mysql.ask(Question::LoadedLibraries).await);
    let files = loaded.as_ref().map(library_files).unwrap_or_default();
    let judged = told(host.beside.judge_options(&packages, &tree, &files).await)?;
    Ok(match loaded {
        Ok(_) => judged,
        Err(why) => Judged {
            libraries: Fact::Unknown(why),
            ..judged
        },
    })
}

fn told<T>(done: HostResult<T>) -> Result<T, String> {
    done.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simhost::{Beginning, FaultAction, SimAgent, SimWorld, Timings, pins};
    use refit_shared::config::propose::propose;
    use refit_shared::ids::{Attempt, ClusterName, Digest, Epoch, MemberName, RolloutId, StepId};
    use refit_shared::operation::{AttemptId, Direction, Operation, Order};
    use refit_shared::receipt::Outcome;
    use refit_shared::survey::Fate;
    use refit_shared::version::{MysqlVersion, PackageVersion};
    use std::collections::BTreeMap;
    use std::time::Duration;
    use tokio::time::{Instant, sleep};

    const HOUR: Duration = Duration::from_secs(3600);
    const OLD: MysqlVersion = MysqlVersion::new(8, 4, 6);
    const NEW: MysqlVersion = MysqlVersion::new(9, 7, 4);

    struct Rig {
        world: SimWorld,
        agent: SimAgent,
        member: MemberName,
        _dir: tempfile::TempDir,
    }

    fn new_package() -> PackageVersion {
        PackageVersion::new("9.7.4-1").unwrap()
    }

    impl Rig {
        /// One server with an option that the target has removed.
        fn new() -> Self {
            let member = MemberName::new("m1").unwrap();
            let world = SimWorld::begin(Beginning {
                members: vec![member.clone()],
                installed: PackageVersion::new("8.4.6-1").unwrap(),
                offered: vec![new_package()],
                timings: Timings::STANDARD,
            });
            world.adds_to_option_file(&member, "\n[mysqld]\ninnodb_log_file_size = 64M\n");
            let dir = tempfile::tempdir().unwrap();
            let cluster = ClusterName::new("c1").unwrap();
            let agent = SimAgent::start(&world, &cluster, &member, dir.path());
            Self {
                world,
                agent,
                member,
                _dir: dir,
            }
        }

        fn as_it_is(&self) -> Candidate {
            Candidate {
                version: NEW,
                packages: pins(&new_package()),
                files: Vec::new(),
            }
        }

        /// With the edits that a plan makes.
        async fn as_planned(&self) -> Candidate {
            let files = self.agent.place.host.files.config_files().await.unwrap();
            let today = "2026-11-28".parse().unwrap();
            Candidate {
                files: propose(&files, OLD, NEW, today).rewrites,
                ..self.as_it_is()
            }
        }

        async fn judge(&self, candidate: &Candidate) -> Result<Judged, String> {
            match judge(&self.agent.place, candidate).await {
                Fact::Known(judged) => Ok(judged),
                Fact::Unknown(why) => Err(why),
            }
        }

        /// All that a check must leave as it is.
        fn state(&self) -> impl PartialEq + std::fmt::Debug + use<> {
            let (world, member) = (&self.world, &self.member);
            (
                (world.config(member), world.log(member)),
                (world.installed(member), world.held_packages(member)),
                (world.service_state(member), world.running_version(member)),
                (world.snapshots(member), world.in_maintenance(member)),
            )
        }

        fn fetch(&self) -> Order {
            Order {
                id: AttemptId {
                    rollout: RolloutId::new("r1").unwrap(),
                    step: StepId(1),
                    attempt: Attempt(1),
                },
                epoch: Epoch(1),
                cluster: ClusterName::new("c1").unwrap(),
                member: self.member.clone(),
                direction: Direction::Perform,
                operation: Operation::FetchPackages {
                    target: pins(&new_package()),
                    rollback: Vec::new(),
                },
                deadline_s: 600,
            }
        }

        fn slow(&self, slow: &'static str, by: Duration) {
            self.world.faults(move |_, point| match point == slow {
                true => FaultAction::Delay(by),
                false => FaultAction::Continue,
            });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn options_are_judged_as_they_would_be_and_the_host_stays_as_it_is() {
        let rig = Rig::new();
        let before = rig.state();
        let refused = rig.judge(&rig.as_it_is()).await.unwrap();
        assert!(!refused.accepted);
        let words = refused.in_words();
        assert!(
            words.contains("MY-000067") && words.contains("innodb_log_file_size"),
            "{words}"
        );
        let accepted = rig.judge(&rig.as_planned().await).await.unwrap();
        assert_eq!(
            accepted,
            Judged {
                accepted: true,
                errors: Vec::new(),
                libraries: Fact::Known(BTreeMap::new()),
            }
        );
        assert_eq!(rig.state(), before);
        let packages = &rig.agent.place.host.packages;
        packages
            .verify_fetched(&pins(&new_package()))
            .await
            .unwrap();
    }

    /// What becomes of what the server loads is told of each file; where the server does not say what it loads, that is told.
    #[tokio::test(start_paused = true)]
    async fn what_becomes_of_libraries_is_told() {
        let rig = Rig::new();
        let gone = Fate::Goes {
            package: "mysql-server-core".to_owned(),
        };
        for (name, file, fate) in [
            ("clone", "mysql_clone.so", Fate::Shipped),
            ("ours", "ours.so", gone.clone()),
        ] {
            let kind = "plugin AUDIT";
            rig.world.loads(&rig.member, name, file, kind, fate);
        }
        let judged = rig.judge(&rig.as_planned().await).await.unwrap();
        let fates = judged.libraries.require().unwrap();
        let expected = [("mysql_clone.so", Fate::Shipped), ("ours.so", gone)];
        let expected = expected.map(|(file, fate)| (format!("/usr/lib/mysql/plugin/{file}"), fate));
        assert_eq!(*fates, BTreeMap::from(expected));

        rig.world.faults(|_, point| match point {
            "mysql.ask" => FaultAction::FailBefore,
            _ => FaultAction::Continue,
        });
        let judged = rig.judge(&rig.as_planned().await).await.unwrap();
        assert!(judged.accepted, "the options are judged all the same");
        let why = judged.libraries.require().unwrap_err();
        assert!(why.contains("connection lost"), "{why}");
    }

    #[tokio::test(start_paused = true)]
    async fn why_it_was_not_asked_is_told() {
        let rig = Rig::new();
        let mut other = rig.as_planned().await;
        other.files[0].before = Digest::ZERO;
        let why = rig.judge(&other).await.unwrap_err();
        assert!(why.ends_with("is another file by now"), "{why}");
        rig.world.damage_packages(&rig.member, true);
        let why = rig.judge(&rig.as_it_is()).await.unwrap_err();
        assert!(why.contains("the plan pins"), "{why}");
        rig.world.damage_packages(&rig.member, false);
        assert!(rig.judge(&rig.as_it_is()).await.is_ok());

        rig.slow("packages.verify_fetched", HOUR);
        let began = Instant::now();
        let why = rig.judge(&rig.as_it_is()).await.unwrap_err();
        assert!(why.starts_with("no answer within 150 s"), "{why}");
        assert!(began.elapsed() <= JUDGING + Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_comes_first() {
        for point in ["packages.fetch", "beside.judge_options"] {
            let rig = Rig::new();
            rig.slow(point, HOUR);
            let judging = tokio::spawn({
                let (place, candidate) = (rig.agent.place.clone(), rig.as_it_is());
                async move { judge(&place, &candidate).await }
            });
            sleep(Duration::from_secs(20)).await;
            let second = rig.judge(&rig.as_it_is()).await.unwrap_err();
            assert_eq!(second, "another check is at it", "{point}");
            rig.world.no_faults();
            let began = Instant::now();
            let mut order = rig.agent.worker.submit(rig.fetch()).await.unwrap().unwrap();
            let receipt = order.receipt().await.unwrap();
            assert!(
                matches!(receipt.outcome, Outcome::Done { .. }),
                "{receipt:?}"
            );
            assert!(began.elapsed() < Duration::from_secs(20), "{point}");
            let Fact::Unknown(why) = judging.await.unwrap() else {
                panic!("{point}: it gives way to the order")
            };
            assert!(why.contains("an order in hand"), "{point}: {why}");
            assert!(rig.judge(&rig.as_it_is()).await.is_ok(), "{point}");
        }
    }

    /// What is borrowed may be half way in the cache until whoever has borrowed it has noticed.
    #[tokio::test(start_paused = true)]
    async fn an_order_that_uses_the_cache_waits_until_it_is_let_go() {
        let rig = Rig::new();
        let bench = rig.agent.place.bench.clone();
        let mut borrowed = Box::pin(bench.borrow(std::future::pending::<()>()));
        assert!(futures::poll!(&mut borrowed).is_pending());
        let mut order = rig.agent.worker.submit(rig.fetch()).await.unwrap().unwrap();
        sleep(Duration::from_secs(30)).await;
        let packages = rig.agent.place.host.packages.clone();
        let wanted = pins(&new_package());
        assert!(packages.verify_fetched(&wanted).await.is_err());
        drop(borrowed);
        let receipt = order.receipt().await.unwrap();
        assert!(matches!(receipt.outcome, Outcome::Done { .. }));
        packages.verify_fetched(&wanted).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_begun_while_an_order_is_in_hand() {
        let rig = Rig::new();
        rig.slow("packages.fetch", Duration::from_secs(60));
        let mut order = rig.agent.worker.submit(rig.fetch()).await.unwrap().unwrap();
        sleep(Duration::from_secs(10)).await;
        let began = Instant::now();
        let why = rig.judge(&rig.as_it_is()).await.unwrap_err();
        assert!(why.contains("an order in hand"), "{why}");
        assert_eq!(began.elapsed(), Duration::ZERO);
        let receipt = order.receipt().await.unwrap();
        assert!(matches!(receipt.outcome, Outcome::Done { .. }));
        assert!(rig.judge(&rig.as_it_is()).await.is_ok());
    }
}
