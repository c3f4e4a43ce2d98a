use super::*;
use refit_shared::ids::{ClusterName, MemberName};
use refit_shared::operation::Operation;
use refit_shared::receipt::{Failure, FailureCode};

fn order(step: u16, attempt: u32, epoch: u64) -> Order {
    Order {
        id: AttemptId {
            rollout: RolloutId::new("r1").unwrap(),
            step: StepId(step),
            attempt: Attempt(attempt),
        },
        epoch: Epoch(epoch),
        cluster: ClusterName::new("c1").unwrap(),
        member: MemberName::new("m1").unwrap(),
        direction: Direction::Perform,
        operation: Operation::BackUpConfig,
        deadline_s: 60,
    }
}

fn done() -> Outcome {
    Outcome::Done { notes: Vec::new() }
}

fn open(dir: &tempfile::TempDir) -> Result<Ledger, LedgerError> {
    Ledger::open(dir.path(), FileDisk::durable())
}

#[tokio::test]
async fn what_was_recorded_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (order(1, 1, 3), order(2, 1, 4));
    {
        let mut ledger = open(&dir).unwrap();
        ledger.obey(Epoch(3)).await.unwrap();
        ledger.accept(first.clone(), 1000).await.unwrap();
        ledger.begin(&first.id, 1100).await.unwrap();
        ledger.close(&first.id, done(), 4100).await.unwrap();
        ledger.obey(Epoch(4)).await.unwrap();
        ledger.accept(second.clone(), 5000).await.unwrap();
        ledger.begin(&second.id, 5000).await.unwrap();
    }
    let mut ledger = open(&dir).unwrap();
    assert_eq!(ledger.highest_epoch(), Epoch(4));
    assert_eq!(ledger.open_attempts(), std::slice::from_ref(&second.id));
    let receipt = ledger.find(&first.id).unwrap().receipt.clone().unwrap();
    assert_eq!((receipt.began_unix_ms, receipt.ended_unix_ms), (1100, 4100));
    assert_eq!(receipt.content, first.content_digest());
    assert_eq!(
        ledger.measured()[&OperationKind::BackUpConfig],
        Seconds::from_millis(3000)
    );
    // Going on does not move the beginning.
    assert_eq!(ledger.begin(&second.id, 9999).await.unwrap(), 5000);
}

#[tokio::test]
async fn attempts_are_told_apart_by_rollout_and_step() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = open(&dir).unwrap();
    ledger.accept(order(1, 1, 1), 0).await.unwrap();
    ledger.accept(order(1, 3, 1), 0).await.unwrap();
    ledger.accept(order(2, 2, 1), 0).await.unwrap();
    let rollout = RolloutId::new("r1").unwrap();
    assert_eq!(ledger.latest_attempt(&rollout, StepId(1)), Some(Attempt(3)));
    assert_eq!(ledger.latest_attempt(&rollout, StepId(9)), None);
}

#[tokio::test]
async fn any_damaged_byte_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let order = order(1, 1, 1);
    open(&dir).unwrap().accept(order.clone(), 0).await.unwrap();
    let path = dir.path().join("ledger").join(file_name(&order.id));
    let good = std::fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        std::fs::write(&path, &bad).unwrap();
        let error = open(&dir).unwrap_err();
        assert!(matches!(error, LedgerError::Damaged(_)), "byte {at}");
        assert!(error.to_string().contains("r1.s01.a1"), "{error}");
    }
    for length in 0..good.len() {
        std::fs::write(&path, &good[..length]).unwrap();
        assert!(open(&dir).is_err(), "cut to {length}");
    }
    std::fs::write(&path, &good).unwrap();
    open(&dir).unwrap();
    // Whole, but not what its name says.
    std::fs::rename(&path, path.with_file_name("r1.s02.a1.entry")).unwrap();
    assert!(open(&dir).is_err());
}

#[tokio::test]
async fn an_interrupted_write_never_counted() {
    let dir = tempfile::tempdir().unwrap();
    let order = order(1, 1, 1);
    open(&dir).unwrap().accept(order.clone(), 0).await.unwrap();
    let path = dir.path().join("ledger");
    std::fs::write(path.join("r1.s02.a1.entry.unfinished"), "half").unwrap();
    let ledger = open(&dir).unwrap();
    assert_eq!(ledger.entries().len(), 1);
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 1);
}

#[tokio::test]
async fn times_that_say_nothing_are_not_measured() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = open(&dir).unwrap();
    let outcomes = [
        Outcome::Failed(Failure::clean(FailureCode::Host, "x")),
        Outcome::Done {
            notes: vec![crate::operations::ALREADY.to_owned()],
        },
    ];
    for (attempt, outcome) in (1..).zip(outcomes) {
        let order = order(1, attempt, 1);
        ledger.accept(order.clone(), 0).await.unwrap();
        ledger.close(&order.id, outcome, 50).await.unwrap();
    }
    let mut undo = order(1, 9, 1);
    undo.direction = Direction::Undo;
    ledger.accept(undo.clone(), 0).await.unwrap();
    ledger.close(&undo.id, done(), 50).await.unwrap();
    assert!(ledger.measured().is_empty());
}

#[tokio::test]
async fn memory_is_per_rollout_durable_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let of = |name: &str| {
        let rollout = RolloutId::new(name).unwrap();
        Memory::of(dir.path(), &rollout, FileDisk::durable())
    };
    assert_eq!(of("r1").get::<bool>("key").await.unwrap(), None);
    of("r1").put("key", &true).await.unwrap();
    assert_eq!(of("r1").get::<bool>("key").await.unwrap(), Some(true));
    assert_eq!(of("r2").get::<bool>("key").await.unwrap(), None);
    let path = dir.path().join("memory/r1/key");
    std::fs::write(&path, "refit-1 00000000\ntrue").unwrap();
    assert!(of("r1").get::<bool>("key").await.is_err());
    of("r1").clear().await.unwrap();
    assert_eq!(of("r1").get::<bool>("key").await.unwrap(), None);
    of("r1").clear().await.unwrap();
}

fn order_of(rollout: &str, attempt: u32) -> Order {
    let mut order = order(1, attempt, 1);
    order.id.rollout = RolloutId::new(rollout).unwrap();
    order
}

/// However many rollouts a host lives through, its ledger does not grow, and late orders of the forgotten ones are known as such.
#[tokio::test]
async fn the_latest_rollouts_are_kept_and_of_the_others_only_that_they_are_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = open(&dir).unwrap();
    let names: Vec<String> = (0..KEPT + 20).map(|n| format!("r{n:03}")).collect();
    for name in &names {
        let first = order_of(name, 1);
        ledger.make_room(&first.id.rollout).await.unwrap();
        ledger.accept(first.clone(), 0).await.unwrap();
        // The second one never ends.
        if name != "r001" {
            ledger.close(&first.id, done(), 1).await.unwrap();
        }
    }
    for mut ledger in [ledger, open(&dir).unwrap()] {
        let kept: Vec<&str> = ledger
            .entries
            .keys()
            .map(|id| id.rollout.as_str())
            .collect();
        assert_eq!(kept.len(), KEPT, "{kept:?}");
        assert_eq!(kept[0], "r001", "an open attempt is never forgotten");
        let forgotten = |name: &str| ledger.has_forgotten(&RolloutId::new(name).unwrap());
        assert!(forgotten("r000") && forgotten("r020"));
        assert!(!forgotten("r001") && !forgotten("r021") && !forgotten("r999"));
        // Nothing is forgotten for the sake of one that is known.
        let known = RolloutId::new("r035").unwrap();
        assert_eq!(ledger.make_room(&known).await.unwrap(), []);
    }
    let files = std::fs::read_dir(dir.path().join("ledger")).unwrap();
    assert_eq!(files.count(), KEPT + 1);
}
