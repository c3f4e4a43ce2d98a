//! The contract of a host's ports on simulated hosts: as they are, and with a fault at each call of each promise.

use super::hand::SimHand;
use super::*;
use crate::host::contract::insistent::{Below, Insistent};
use crate::host::contract::{DiskScene, FilesScene, Kept, Promise, Scene};
use crate::host::contract::{of_a_disk, of_a_host, of_files};
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

/// One server that stands alone.
#[derive(Debug)]
struct Alone {
    world: SimWorld,
    member: MemberName,
    /// Calls that were made, and how many of them were made to fail.
    calls: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
}

impl Alone {
    fn new() -> Arc<Self> {
        let member = MemberName::new("db1").unwrap();
        let version = |text| PackageVersion::new(text).unwrap();
        let beginning = Beginning {
            members: vec![member.clone()],
            installed: version("9.7.3-1"),
            offered: vec![version("9.7.4-1")],
            timings: Timings::STANDARD,
        };
        Arc::new(Self {
            world: SimWorld::shaped(Shape::Alone, beginning),
            member,
            calls: Arc::default(),
            failed: Arc::default(),
        })
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

    fn plain(&self) -> Scene {
        let port = self.world.ports(&self.member);
        self.scene(port.host(), Arc::new(port))
    }

    fn insistent(self: &Arc<Self>) -> Scene {
        let insistent = Insistent::over(self.clone());
        self.scene(insistent.host(), Arc::new(insistent))
    }

    /// The promise was kept, and nothing has happened on the way that must never be.
    fn judge(&self, promise: &str, kept: Kept) {
        if let Err(why) = kept {
            panic!("{promise}\n  {why:#}");
        }
        assert_eq!(self.world.violations(), Vec::<String>::new(), "{promise}");
    }
}

impl Below for Alone {
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

async fn of_files_alone(scene: Scene) -> FilesScene {
    scene.stop().await.unwrap();
    FilesScene {
        files: scene.host.files,
        hand: scene.hand,
    }
}

#[tokio::test(start_paused = true)]
async fn a_simulated_host_keeps_the_contract() {
    for promise in of_a_host() {
        let alone = Alone::new();
        let scene = alone.plain();
        let kept = (promise.keep)(&scene).await;
        alone.judge(&promise.to_string(), kept);
        assert!(is_as_before(&alone).await, "{promise}: it is not as before");
    }
}

#[tokio::test(start_paused = true)]
async fn simulated_files_keep_the_contract() {
    for promise in of_files() {
        let alone = Alone::new();
        let scene = of_files_alone(alone.plain()).await;
        let kept = (promise.keep)(&scene).await;
        alone.judge(&promise.to_string(), kept);
    }
}

/// It runs, takes writes, is what it was, and nothing is left of maintenance.
async fn is_as_before(alone: &Alone) -> bool {
    let (world, member) = (&alone.world, &alone.member);
    world.is_writable(member)
        && !world.in_maintenance(member)
        && !world.is_held_down(member)
        && world.installed(member) == PackageVersion::new("9.7.3-1").ok()
}

/// What may befall a call: it fails without or with its effect, or the agent is killed before or after.
const BLOWS: [FaultAction; 4] = [
    FaultAction::FailBefore,
    FaultAction::FailAfter,
    FaultAction::CrashBefore,
    FaultAction::CrashAfter,
];

/// Runs a promise with nothing, with every call slow, and with each blow at each call.
async fn under_every_blow<S, F>(promises: Vec<Promise<S>>, scene: impl Fn(Arc<Alone>) -> F)
where
    F: Future<Output = S>,
{
    let (mut blows, mut calls_in_all) = (0, 0);
    for promise in promises {
        let alone = Alone::new();
        let set = scene(alone.clone()).await;
        alone.struck(None);
        let kept = (promise.keep)(&set).await;
        alone.judge(&promise.to_string(), kept);
        let calls = alone.calls.load(Ordering::Relaxed);
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
            let alone = Alone::new();
            let set = scene(alone.clone()).await;
            alone.struck(Some(strike));
            let kept = (promise.keep)(&set).await;
            alone.judge(&format!("{promise}, {strike:?}"), kept);
            blows += 1;
        }
    }
    println!("{calls_in_all} calls, {blows} runs with faults");
    assert!(calls_in_all > 100, "only {calls_in_all} calls were met");
}

#[tokio::test(start_paused = true)]
async fn a_simulated_host_keeps_the_contract_whatever_befalls_a_call() {
    under_every_blow(of_a_host(), async |alone: Arc<Alone>| alone.insistent()).await;
}

#[tokio::test(start_paused = true)]
async fn simulated_files_keep_the_contract_whatever_befalls_a_call() {
    under_every_blow(of_files(), async |alone: Arc<Alone>| {
        of_files_alone(alone.insistent()).await
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_simulated_disk_and_the_real_one_keep_the_contract() {
    let alone = Alone::new();
    let port = alone.world.ports(&alone.member);
    for disk in [FileDisk::quick(), FileDisk::durable(), SimDisk::of(port)] {
        for promise in of_a_disk() {
            let dir = tempfile::tempdir().unwrap();
            let scene = DiskScene {
                disk: disk.clone(),
                dir: dir.path().to_owned(),
            };
            let kept = (promise.keep)(&scene).await;
            alone.judge(&format!("{promise}, {disk:?}"), kept);
        }
    }
}
