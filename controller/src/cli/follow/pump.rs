//! The watch stream as events: connected, lost, connected again from the sequence number that is due.

use crate::cli::connection::Connection;
use crate::cli::failure::Failure;
use refit_proto::operator::{LineView, Malformed, RolloutView, wire};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// A controller that is away for longer is given up on; the rollout is not.
const PATIENCE: Duration = Duration::from_secs(600);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub enum Event {
    Update {
        lines: Vec<LineView>,
        rollout: Box<RolloutView>,
    },
    /// Not connected; it is tried again.
    Lost(Failure),
    /// Given up.
    Failed(Failure),
    /// The controller has nothing more to tell, ever.
    Ended,
}

/// Runs until the end, or until nobody listens.
pub async fn pump(to: Connection, id: String, mut next: u64, events: mpsc::Sender<Event>) {
    let mut lost_since = None;
    let mut pause = FIRST_PAUSE;
    loop {
        let failure = match to.watch(&id, next).await {
            Err(failure) => failure,
            Ok(mut stream) => loop {
                let update = match stream.message().await {
                    Ok(Some(message)) => parse(message),
                    Ok(None) => return tell(&events, Event::Ended).await,
                    Err(status) => break to.failed(&status),
                };
                match update {
                    Ok((lines, rollout)) => {
                        (lost_since, pause) = (None, FIRST_PAUSE);
                        next = rollout.next_seq;
                        let rollout = Box::new(rollout);
                        if events.send(Event::Update { lines, rollout }).await.is_err() {
                            return;
                        }
                    }
                    Err(malformed) => return tell(&events, Event::Failed(malformed.into())).await,
                }
            },
        };
        let since = *lost_since.get_or_insert_with(Instant::now);
        if !failure.transient || since.elapsed() > PATIENCE {
            return tell(&events, Event::Failed(failure)).await;
        }
        if events.send(Event::Lost(failure)).await.is_err() {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

async fn tell(events: &mpsc::Sender<Event>, event: Event) {
    // Nobody listens any more: then nobody needs to know.
    let _ = events.send(event).await;
}

fn parse(message: wire::WatchResponse) -> Result<(Vec<LineView>, RolloutView), Malformed> {
    let missing = || Malformed {
        message: "WatchResponse",
        field: "rollout",
        why: "missing".to_owned(),
    };
    let rollout = message.rollout.ok_or_else(missing)?.try_into()?;
    let lines = message.lines.into_iter().map(LineView::try_from);
    Ok((lines.collect::<Result<_, _>>()?, rollout))
}
