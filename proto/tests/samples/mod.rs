//! Arbitrary domain values, as far as they are ones that Refit makes itself.

#![allow(dead_code, reason = "each test binary uses its part")]

pub mod observation;
pub mod rollout;

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use refit_shared::config::edit::{LineEdit, Rewrite};
use refit_shared::ids::{
    Attempt, ClusterName, Digest, Epoch, MemberName, RolloutId, Seq, ServerUuid, StepId,
};
use refit_shared::observation::PackagePin;
use refit_shared::operation::{
    AttemptId, Direction, Operation, OperationKind, Order, SourceAddress,
};
use refit_shared::receipt::{Failure, FailureCode, Outcome, Probe, Progress, Receipt};
use refit_shared::table::TableName;
use refit_shared::version::{MysqlVersion, PackageVersion};

/// Any text, control characters and the empty one included.
pub fn text() -> impl Strategy<Value = String> {
    proptest::string::string_regex("(?s).{0,12}").expect("the expression is valid")
}

const NAME: &str = "[a-z0-9][a-z0-9.-]{0,62}";

pub fn cluster() -> impl Strategy<Value = ClusterName> {
    NAME.prop_map(|text| ClusterName::new(text).expect("follows the grammar"))
}
pub fn member() -> impl Strategy<Value = MemberName> {
    NAME.prop_map(|text| MemberName::new(text).expect("follows the grammar"))
}
pub fn rollout() -> impl Strategy<Value = RolloutId> {
    NAME.prop_map(|text| RolloutId::new(text).expect("follows the grammar"))
}
pub fn uuid() -> impl Strategy<Value = ServerUuid> {
    "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
        .prop_map(|text| ServerUuid::new(text).expect("follows the grammar"))
}
pub fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest::from_bytes)
}
pub fn epoch() -> impl Strategy<Value = Epoch> {
    any::<u64>().prop_map(Epoch)
}
pub fn seq() -> impl Strategy<Value = Seq> {
    any::<u64>().prop_map(Seq)
}
pub fn step() -> impl Strategy<Value = StepId> {
    any::<u16>().prop_map(StepId)
}
pub fn attempt() -> impl Strategy<Value = Attempt> {
    any::<u32>().prop_map(Attempt)
}
pub fn version() -> impl Strategy<Value = MysqlVersion> {
    any::<(u16, u16, u16)>().prop_map(|(a, b, c)| MysqlVersion::new(a, b, c))
}
pub fn package_version() -> impl Strategy<Value = PackageVersion> {
    "[0-9][A-Za-z0-9.+~:-]{0,127}"
        .prop_map(|text| PackageVersion::new(text).expect("follows the grammar"))
}
pub fn word() -> impl Strategy<Value = String> {
    "[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
}
pub fn pin() -> impl Strategy<Value = PackagePin> {
    let name = "[A-Za-z0-9][A-Za-z0-9.+_-]{0,127}";
    (name, package_version(), "[0-9a-f]{64}").prop_map(|(name, version, sha256)| PackagePin {
        name,
        version,
        sha256,
    })
}
fn pins() -> impl Strategy<Value = Vec<PackagePin>> {
    vec(pin(), 0..3)
}

fn rewrite() -> impl Strategy<Value = Rewrite> {
    let edit = (any::<u32>(), any::<bool>(), vec("[a-z =]{0,9}", 0..3)).prop_map(
        |(line, replaces, new)| LineEdit {
            line,
            replaces,
            new,
        },
    );
    let after = proptest::option::of("[a-z]{0,5}");
    ("/[a-z/.]{1,20}", "[a-z]{0,5}", after, vec(edit, 0..3)).prop_map(
        |(path, before, after, edits)| Rewrite {
            path,
            before: Digest::of(before.as_bytes()),
            after: after.map(|text| Digest::of(text.as_bytes())),
            edits,
        },
    )
}

pub fn kind() -> impl Strategy<Value = OperationKind> {
    proptest::sample::select(OperationKind::ALL.to_vec())
}

pub fn operation() -> impl Strategy<Value = Operation> {
    kind().prop_flat_map(operation_of)
}

/// Arguments for one kind; a new kind does not compile until it has some.
fn operation_of(kind: OperationKind) -> BoxedStrategy<Operation> {
    match kind {
        OperationKind::FetchPackages => (pins(), pins())
            .prop_map(|(target, rollback)| Operation::FetchPackages { target, rollback })
            .boxed(),
        OperationKind::BackUpConfig => Just(Operation::BackUpConfig).boxed(),
        OperationKind::EnterMaintenance => Just(Operation::EnterMaintenance).boxed(),
        OperationKind::LeaveGroup => any::<u32>()
            .prop_map(|drain_s| Operation::LeaveGroup { drain_s })
            .boxed(),
        OperationKind::StopServer => (version(), any::<bool>(), any::<u32>())
            .prop_map(|(version, slow, drain_s)| Operation::StopServer {
                version,
                slow,
                drain_s,
            })
            .boxed(),
        OperationKind::SnapshotData => word()
            .prop_map(|name| Operation::SnapshotData { name })
            .boxed(),
        OperationKind::RehearseUpgrade => (
            version(),
            pins(),
            vec(rewrite(), 0..3),
            any::<bool>(),
            any::<bool>(),
            proptest::option::of("/[a-z]{1,9}"),
        )
            .prop_map(
                |(version, packages, files, running, copy, data_directory)| {
                    Operation::RehearseUpgrade {
                        version,
                        packages,
                        files,
                        running,
                        copy,
                        data_directory,
                    }
                },
            )
            .boxed(),
        OperationKind::ValidateConfig => (version(), pins(), vec(rewrite(), 0..3))
            .prop_map(|(version, packages, files)| Operation::ValidateConfig {
                version,
                packages,
                files,
            })
            .boxed(),
        OperationKind::RewriteConfig => vec(rewrite(), 0..3)
            .prop_map(|files| Operation::RewriteConfig { files })
            .boxed(),
        OperationKind::SwapPackages => (pins(), pins())
            .prop_map(|(from, to)| Operation::SwapPackages { from, to })
            .boxed(),
        OperationKind::StartServer => (version(), word())
            .prop_map(|(version, snapshot)| Operation::StartServer { version, snapshot })
            .boxed(),
        OperationKind::UpgradeSystemTables => version()
            .prop_map(|version| Operation::UpgradeSystemTables { version })
            .boxed(),
        OperationKind::RebuildOffline => (version(), tables())
            .prop_map(|(version, tables)| Operation::RebuildOffline { version, tables })
            .boxed(),
        OperationKind::JoinGroup => any::<u32>()
            .prop_map(|drain_s| Operation::JoinGroup { drain_s })
            .boxed(),
        OperationKind::LeaveMaintenance => Just(Operation::LeaveMaintenance).boxed(),
        OperationKind::AppointPrimary => uuid()
            .prop_map(|uuid| Operation::AppointPrimary { uuid })
            .boxed(),
        OperationKind::KeepPrimary => uuid()
            .prop_map(|uuid| Operation::KeepPrimary { uuid })
            .boxed(),
        OperationKind::DissolveGroup => any::<u32>()
            .prop_map(|drain_s| Operation::DissolveGroup { drain_s })
            .boxed(),
        OperationKind::BootstrapGroup => Just(Operation::BootstrapGroup).boxed(),
        OperationKind::LeaveLostGroup => Just(Operation::LeaveLostGroup).boxed(),
        OperationKind::KeepWritable => Just(Operation::KeepWritable).boxed(),
        OperationKind::AllowWrites => Just(Operation::AllowWrites).boxed(),
        OperationKind::StopReplica => any::<u32>()
            .prop_map(|drain_s| Operation::StopReplica { drain_s })
            .boxed(),
        OperationKind::StartReplica => any::<u32>()
            .prop_map(|catch_up_s| Operation::StartReplica { catch_up_s })
            .boxed(),
        OperationKind::KeepReplica => Just(Operation::KeepReplica).boxed(),
        OperationKind::PauseWrites => (any::<u32>(), any::<u32>())
            .prop_map(|(drain_s, lease_s)| Operation::PauseWrites { drain_s, lease_s })
            .boxed(),
        OperationKind::DemoteSource => Just(Operation::DemoteSource).boxed(),
        OperationKind::PromoteReplica => Just(Operation::PromoteReplica).boxed(),
        OperationKind::FollowSource => (
            prop_oneof![Just(String::new()), word()],
            word(),
            any::<u16>(),
            uuid(),
            any::<[bool; 2]>(),
            any::<u32>(),
            any::<u64>(),
        )
            .prop_map(
                |(channel, host, port, uuid, [ssl, get_public_key], retry_s, tries)| {
                    let source = SourceAddress {
                        channel,
                        host,
                        port,
                        uuid,
                        ssl,
                        get_public_key,
                        connect_retry_s: retry_s,
                        retry_count: tries,
                    };
                    Operation::FollowSource { source }
                },
            )
            .boxed(),
        OperationKind::DiscardLogs => Just(Operation::DiscardLogs).boxed(),
        OperationKind::LogRows => any::<u32>()
            .prop_map(|wait_s| Operation::LogRows { wait_s })
            .boxed(),
        OperationKind::InspectTables => (tables(), any::<bool>())
            .prop_map(|(tables, secluded)| Operation::InspectTables { tables, secluded })
            .boxed(),
        OperationKind::RebuildTables => tables()
            .prop_map(|tables| Operation::RebuildTables { tables })
            .boxed(),
        OperationKind::ReleaseArtifacts => word()
            .prop_map(|snapshot| Operation::ReleaseArtifacts { snapshot })
            .boxed(),
    }
}

fn tables() -> impl Strategy<Value = Vec<TableName>> {
    let name = "[a-z`$ ]{0,8}[a-z]".prop_map(|name| format!("x{name}.t{name}"));
    vec(
        name.prop_map(|text| {
            text.parse()
                .expect("names without dots, controls or commas")
        }),
        0..3,
    )
}

pub fn attempt_id() -> impl Strategy<Value = AttemptId> {
    (rollout(), step(), attempt()).prop_map(|(rollout, step, attempt)| AttemptId {
        rollout,
        step,
        attempt,
    })
}

pub fn order() -> impl Strategy<Value = Order> {
    let direction = proptest::sample::select(vec![Direction::Perform, Direction::Undo]);
    (
        attempt_id(),
        epoch(),
        cluster(),
        member(),
        direction,
        operation(),
        any::<u32>(),
    )
        .prop_map(
            |(id, epoch, cluster, member, direction, operation, deadline_s)| Order {
                id,
                epoch,
                cluster,
                member,
                direction,
                operation,
                deadline_s,
            },
        )
}

pub fn failure() -> impl Strategy<Value = Failure> {
    let code = proptest::sample::select(FailureCode::ALL.to_vec());
    (code, text(), any::<bool>()).prop_map(|(code, message, partial)| Failure {
        code,
        message,
        partial,
    })
}

pub fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        vec(text(), 0..3).prop_map(|notes| Outcome::Done { notes }),
        failure().prop_map(Outcome::Failed),
    ]
}

pub fn receipt() -> impl Strategy<Value = Receipt> {
    let times = (any::<i64>(), any::<i64>());
    (attempt_id(), digest(), times, outcome()).prop_map(
        |(id, content, (began_unix_ms, ended_unix_ms), outcome)| Receipt {
            id,
            content,
            began_unix_ms,
            ended_unix_ms,
            outcome,
        },
    )
}

pub fn probe() -> impl Strategy<Value = Probe> {
    prop_oneof![
        Just(Probe::NotDone),
        text().prop_map(Probe::Partial),
        Just(Probe::Done),
    ]
}

pub fn progress() -> impl Strategy<Value = Progress> {
    (text(), option::of(0..=100u8)).prop_map(|(phase, percent)| Progress { phase, percent })
}

pub fn texts() -> impl Strategy<Value = std::collections::BTreeSet<String>> {
    btree_set(text(), 0..3)
}
