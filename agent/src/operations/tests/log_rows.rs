//! Rows instead of statements: twice, undone, sessions that do not end, and where it is refused.

use super::rig::{Hop, Rig, member};
use crate::host::LogFormat;
use refit_shared::operation::{Direction, Operation};
use refit_shared::receipt::FailureCode;

const ROWS: Operation = Operation::LogRows { wait_s: 60 };

fn source(format: LogFormat) -> Rig {
    let rig = Rig::replicas("m1", Hop::series());
    rig.world.logs(&member("m1"), format);
    rig
}

async fn format(rig: &Rig) -> LogFormat {
    let (host, _) = rig.context(rig.order(Direction::Perform, &ROWS));
    host.mysql.log_format().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_source_from_all_worlds() {
    for was in [LogFormat::Statement, LogFormat::Mixed, LogFormat::Row] {
        let rig = source(was);
        rig.undo(&ROWS).await;
        assert_eq!(format(&rig).await, was, "never ran");
        let notes = rig.perform(&ROWS).await.join("; ");
        assert_eq!(format(&rig).await, LogFormat::Row);
        assert!(
            was == LogFormat::Row || notes.contains("no session logs anything else"),
            "{notes}"
        );
        assert_eq!(rig.perform(&ROWS).await, ["was already so"]);
        rig.undo(&ROWS).await;
        rig.undo(&ROWS).await;
        assert_eq!(format(&rig).await, was, "fully ran");
    }
}

/// Nobody is killed: the clients are named, and the server logs as before.
#[tokio::test(start_paused = true)]
async fn sessions_that_do_not_end_are_named_and_nothing_is_half_switched() {
    let rig = source(LogFormat::Statement);
    let hasty = Operation::LogRows { wait_s: 1 };
    let failure = rig.refused(Direction::Perform, &hasty).await;
    assert_eq!(failure.code, FailureCode::Deadline, "{failure}");
    assert!(
        failure.message.contains("app@client (1 session)"),
        "{failure}"
    );
    assert_eq!(format(&rig).await, LogFormat::Statement);
}

#[tokio::test(start_paused = true)]
async fn a_replica_is_refused() {
    let rig = Rig::replicas("m2", Hop::series());
    rig.world.logs(&member("m2"), LogFormat::Statement);
    let refused = rig.refused_clean(&ROWS).await;
    assert!(refused.message.contains("only a source"), "{refused}");
}
