//! The contract of a host's ports on simulated hosts: as they are, and with a fault at each call of each promise.

use super::hand::SimHand;
use super::*;
use crate::host::contract::insistent::{Below, Insistent};
use crate::host::contract::{DiskScene, FilesScene, Kept, PairScene, Promise, Scene};
use crate::host::contract::{of_a_disk, of_a_group_of_one, of_a_host, of_a_replica};
use crate::host::contract::{of_a_second_member, of_files};
use crate::ledger::FileDisk;
use crate::operations::ErrorLog;
use futures::future::BoxFuture;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What befalls one call of a run.
#[derive(Debug, Clone, Copy)]
struct Strike {
    /// Counted from 0; `None`: every call.
    call: Option<u64>,
    action: FaultAction,
}

/// How a server begins, and is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// By itself: it takes writes.
    Alone,
    /// The same, stopped.
    Down,
    /// Configured for a group that nobody is in.
    OutsideItsGroup,
    /// In a group with another one, which is its primary.
    Secondary,
    /// It follows another one.
    Replica,
}

/// One host, and what befalls its calls.
#[derive(Debug)]
struct Placed {
    place: Place,
    world: SimWorld,
    member: MemberName,
    /// Of a pair.
    other: MemberName,
    /// Calls that were made, and how many of them were made to fail.
    calls: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
}

impl Placed {
    async fn at(place: Place) -> Arc<Self> {
        let name = |text| MemberName::new(text).unwrap();
        let version = |text| PackageVersion::new(text).unwrap();
        let (shape, pair) = match place {
            Place::Alone | Place::Down => (Shape::Alone, false),
            Place::OutsideItsGroup => (Shape::Group, false),
            Place::Secondary => (Shape::Group, true),
            Place::Replica => (Shape::Replicas, true),
        };
        // The first one is the primary, and the source.
        let (other, member) = match pair {
            true => (name("db1"), name("db2")),
            false => (name("nobody"), name("db1")),
        };
        let all = [&other, &member].into_iter().skip(usize::from(!pair));
        let beginning = Beginning {
            members: all.cloned().collect(),
            installed: version("9.7.3-1"),
            offered: vec![version("9.7.4-1")],
            timings: Timings::STANDARD,
        };
        let world = SimWorld::shaped(shape, beginning);
        let file = "group_replication.so";
        let kind = "plugin GROUP REPLICATION";
        world.loads(&member, "group_replication", file, kind, Fate::Shipped);
        let placed = Self {
            place,
            world,
            member,
            other,
            calls: Arc::default(),
            failed: Arc::default(),
        };
        if shape.is_group() {
            placed.world.allow_full_stop();
        }
        if place == Place::OutsideItsGroup {
            let mysql = placed.world.host(&placed.member).mysql;
            mysql.set_super_read_only(true).await.unwrap();
            let limit = Duration::from_secs(60);
            mysql.stop_group_replication(limit).await.unwrap();
        }
        let placed = Arc::new(placed);
        if place == Place::Down {
            placed.plain().stop().await.unwrap();
        }
        placed
    }

    fn struck(self: &Arc<Self>, strike: Option<Strike>) {
        let (calls, failed) = (self.calls.clone(), self.failed.clone());
        self.world.faults(move |_, _| {
            let number = calls.fetch_add(1, Ordering::Relaxed);
            let Some(Strike { call, action }) = strike else {
                return FaultAction::Continue;
            };
            if call.is_some_and(|call| call != number) {
                return FaultAction::Continue;
            }
            if matches!(action, FaultAction::FailBefore | FaultAction::FailAfter) {
                failed.fetch_add(1, Ordering::Relaxed);
            }
            action
        });
    }

    fn scene(&self, host: Host, log: Arc<dyn ErrorLog>) -> Scene {
        Scene {
            host,
            log,
            hand: Arc::new(SimHand::at(&self.world, &self.member)),
            present: pins(&PackageVersion::new("9.7.3-1").unwrap()),
            other: pins(&PackageVersion::new("9.7.4-1").unwrap()),
            table: "shop.orders".parse().unwrap(),
            patience: Duration::from_secs(120),
        }
    }

    fn plain(self: &Arc<Self>) -> Scene {
        let port = self.world.ports(&self.member);
        self.scene(port.host(), Arc::new(port))
    }

    fn insistent(self: &Arc<Self>) -> Scene {
        let insistent = Insistent::over(self.clone());
        self.scene(insistent.host(), Arc::new(insistent))
    }

    fn pair(&self, here: Scene) -> PairScene {
        let there = Arc::new(SimThere::at(&self.world, &self.other));
        PairScene { here, there }
    }

    /// The promise was kept, the host is as it was, and nothing has happened on the way that must never be.
    fn judge(&self, promise: &str, kept: Kept) {
        if let Err(why) = kept {
            panic!("{promise}\n  {why:#}");
        }
        assert_eq!(self.world.violations(), Vec::<String>::new(), "{promise}");
        assert!(self.is_as_before(), "{promise}: it is not as before");
    }

    /// It runs, is what and where it was, and nothing is left of maintenance or of a rehearsal.
    fn is_as_before(&self) -> bool {
        let (world, member) = (&self.world, &self.member);
        let writable = world.is_writable(member);
        let state = world.member_state(member);
        let placed = match self.place {
            Place::Alone => writable,
            Place::Down => state.is_none(),
            Place::OutsideItsGroup => !writable && state == Some(MemberState::Offline),
            Place::Secondary => {
                let primary = world.primary();
                !writable
                    && state == Some(MemberState::Online)
                    && primary.as_ref() == Some(&self.other)
            }
            Place::Replica => {
                let source = (String::new(), self.other.clone());
                !writable && world.replicates(member) && world.sources(member) == [source]
            }
        };
        let unit = match self.place {
            Place::Down => ServiceState::Inactive,
            Place::Alone | Place::OutsideItsGroup | Place::Secondary | Place::Replica => {
                ServiceState::Active
            }
        };
        placed
            && world.service_state(member) == unit
            && !world.in_maintenance(member)
            && !world.is_held_down(member)
            && world.clones(member) == 0
            && world.installed(member) == PackageVersion::new("9.7.3-1").ok()
    }
}

impl Below for Placed {
    fn host(&self) -> Host {
        self.world.host(&self.member)
    }
    fn log(&self) -> Arc<dyn ErrorLog> {
        Arc::new(self.world.ports(&self.member))
    }
    fn death(&self) -> BoxFuture<'static, ()> {
        let mut deaths = self.world.agent_deaths(&self.member);
        Box::pin(async move {
            let ended = deaths.changed().await;
            ended.expect("the world outlives its hosts' agents");
        })
    }
    fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

async fn kept<S>(
    place: Place,
    promises: Vec<Promise<S>>,
    scene: impl AsyncFn(&Arc<Placed>, Scene) -> S,
) {
    for promise in promises {
        let placed = Placed::at(place).await;
        let set = scene(&placed, placed.plain()).await;
        let kept = (promise.keep)(&set).await;
        drop(set);
        placed.judge(&promise.to_string(), kept);
    }
}

/// What may befall a call: it fails without or with its effect, or the agent is killed before or after.
const BLOWS: [FaultAction; 4] = [
    FaultAction::FailBefore,
    FaultAction::FailAfter,
    FaultAction::CrashBefore,
    FaultAction::CrashAfter,
];

/// Runs a promise with nothing, with every call slow, and with each blow at each call.
async fn kept_under_every_blow<S>(
    place: Place,
    promises: Vec<Promise<S>>,
    scene: impl AsyncFn(&Arc<Placed>, Scene) -> S,
) {
    let (mut blows, mut calls_in_all) = (0, 0);
    let run = async |promise: &Promise<S>, strike: Option<Strike>| {
        let placed = Placed::at(place).await;
        let set = scene(&placed, placed.insistent()).await;
        placed.struck(strike);
        let kept = (promise.keep)(&set).await;
        placed.judge(&format!("{promise}, {strike:?}"), kept);
        placed.calls.load(Ordering::Relaxed)
    };
    for promise in promises {
        let calls = run(&promise, None).await;
        calls_in_all += calls;
        let slow = Strike {
            call: None,
            action: FaultAction::Delay(Duration::from_millis(400)),
        };
        let each = (0..calls).flat_map(|call| {
            BLOWS.map(|action| Strike {
                call: Some(call),
                action,
            })
        });
        for strike in [slow].into_iter().chain(each) {
            run(&promise, Some(strike)).await;
            blows += 1;
        }
    }
    println!("{calls_in_all} calls, {blows} runs with faults");
    assert!(calls_in_all > 100, "only {calls_in_all} calls were met");
}

async fn itself(_: &Arc<Placed>, scene: Scene) -> Scene {
    scene
}

async fn in_a_pair(placed: &Arc<Placed>, scene: Scene) -> PairScene {
    placed.pair(scene)
}

#[tokio::test(start_paused = true)]
async fn a_simulated_host_keeps_the_contract() {
    kept(Place::Alone, of_a_host(), itself).await;
}

#[tokio::test(start_paused = true)]
async fn a_simulated_host_keeps_the_contract_whatever_befalls_a_call() {
    kept_under_every_blow(Place::Alone, of_a_host(), itself).await;
}

#[tokio::test(start_paused = true)]
async fn a_simulated_group_of_one_keeps_the_contract() {
    kept(Place::OutsideItsGroup, of_a_group_of_one(), itself).await;
}

#[tokio::test(start_paused = true)]
async fn a_simulated_group_of_one_keeps_the_contract_whatever_befalls_a_call() {
    kept_under_every_blow(Place::OutsideItsGroup, of_a_group_of_one(), itself).await;
}

#[tokio::test(start_paused = true)]
async fn a_simulated_secondary_keeps_the_contract() {
    kept(Place::Secondary, of_a_second_member(), in_a_pair).await;
}

#[tokio::test(start_paused = true)]
async fn a_simulated_secondary_keeps_the_contract_whatever_befalls_a_call() {
    kept_under_every_blow(Place::Secondary, of_a_second_member(), in_a_pair).await;
}

#[tokio::test(start_paused = true)]
async fn a_simulated_replica_keeps_the_contract() {
    kept(Place::Replica, of_a_replica(), in_a_pair).await;
}

#[tokio::test(start_paused = true)]
async fn a_simulated_replica_keeps_the_contract_whatever_befalls_a_call() {
    kept_under_every_blow(Place::Replica, of_a_replica(), in_a_pair).await;
}

async fn its_files(_: &Arc<Placed>, scene: Scene) -> FilesScene {
    FilesScene {
        files: scene.host.files,
        hand: scene.hand,
    }
}

#[tokio::test(start_paused = true)]
async fn simulated_files_keep_the_contract() {
    kept(Place::Down, of_files(), its_files).await;
}

#[tokio::test(start_paused = true)]
async fn simulated_files_keep_the_contract_whatever_befalls_a_call() {
    kept_under_every_blow(Place::Down, of_files(), its_files).await;
}

#[tokio::test(start_paused = true)]
async fn the_simulated_disk_and_the_real_one_keep_the_contract() {
    let placed = Placed::at(Place::Alone).await;
    let port = placed.world.ports(&placed.member);
    for disk in [FileDisk::quick(), FileDisk::durable(), SimDisk::of(port)] {
        for promise in of_a_disk() {
            let dir = tempfile::tempdir().unwrap();
            let scene = DiskScene {
                disk: disk.clone(),
                dir: dir.path().to_owned(),
            };
            let kept = (promise.keep)(&scene).await;
            placed.judge(&format!("{promise}, {disk:?}"), kept);
        }
    }
}
