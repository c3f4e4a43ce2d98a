//! A replica: the server replicates from another one through one channel, and is read-only.

use super::{Kept, LOOK, PairScene, promises, refused, same};
use anyhow::{Context, bail, ensure};
use refit_shared::gtid::GtidSet;
use refit_shared::observation::{ChannelDetail, ChannelFacts, Fact, ReplicationService};
use refit_shared::operation::SourceAddress;
use std::time::Duration;
use tokio::time::sleep;

promises!("Mysql, replicating", PairScene:
    a_replica_tells_whom_it_follows_and_takes_no_writes,
    what_the_source_commits_is_received_and_executed,
    a_receiver_stops_and_goes_on_where_it_was,
    an_applier_stops_and_goes_on_where_it_was,
    a_source_is_changed_or_forgotten_only_while_nothing_runs,
    a_known_channel_keeps_its_account_and_settings,
    who_forgot_its_source_follows_nobody_until_it_is_told_whom,
    a_source_that_does_not_answer_is_told_and_given_up,
    discarded_logs_are_fetched_again_by_their_gtids,
    after_a_restart_it_replicates_and_in_maintenance_it_does_not,
);

/// What has not come after so long, where a commit takes milliseconds, does not come.
const A_WHILE: Duration = Duration::from_secs(1);

/// Which of its threads run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Threads {
    receiver: bool,
    applier: bool,
}

const BOTH: Threads = Threads {
    receiver: true,
    applier: true,
};
const NEITHER: Threads = Threads {
    receiver: false,
    applier: false,
};
const RECEIVER: Threads = Threads {
    receiver: true,
    applier: false,
};
const APPLIER: Threads = Threads {
    receiver: false,
    applier: true,
};

fn detail(channel: &ChannelFacts) -> anyhow::Result<&ChannelDetail> {
    match &channel.detail {
        Fact::Known(detail) => Ok(detail),
        Fact::Unknown(why) => bail!("the channel's detail is unknown: {why}"),
    }
}

async fn executed(scene: &PairScene) -> anyhow::Result<GtidSet> {
    Ok(scene.here.host.mysql.replication().await?.executed)
}

/// Its one channel, as both answers tell it.
async fn channel(scene: &PairScene) -> anyhow::Result<ChannelFacts> {
    let mut channels = scene.here.host.mysql.replication().await?.channels;
    same(&channels.len(), &1, "how many channels it has")?;
    let channel = channels.pop().context("it has one")?;
    let name = scene.there.address().channel;
    same(&channel.name, &name, "the channel's name")?;
    Ok(channel)
}

/// What stays as it is while a channel runs or does not.
async fn is_set(scene: &PairScene, address: &SourceAddress) -> anyhow::Result<ChannelFacts> {
    let channel = channel(scene).await?;
    let detail = detail(&channel)?;
    same(&channel.source_host, &address.host, "the source's host")?;
    same(&detail.source_port, &address.port, "the source's port")?;
    same(&detail.auto_position, &true, "auto-position")?;
    same(&detail.ssl, &address.ssl, "TLS")?;
    let key = "whether the public key is asked for";
    same(&detail.get_public_key, &address.get_public_key, key)?;
    let retry = "the seconds between two tries";
    same(&detail.connect_retry_s, &address.connect_retry_s, retry)?;
    same(&detail.retry_count, &address.retry_count, "the tries")?;
    let user = scene.here.host.mysql.replication_user();
    same(&Some(detail.user.clone()), &user, "the account")?;
    ensure!(detail.filters.is_empty(), "it has filters");
    same(&detail.delay_s, &0, "the delay")?;
    ensure!(
        scene.here.host.mysql.super_read_only().await?,
        "a replica is not read-only"
    );
    Ok(channel)
}

/// Exactly these threads run, without an error.
async fn until_running(scene: &PairScene, wanted: Threads) -> anyhow::Result<ChannelFacts> {
    let patience = scene.here.patience();
    loop {
        let channel = channel(scene).await?;
        let known = detail(&channel)?;
        let running = Threads {
            receiver: known.receiver.service == ReplicationService::On,
            applier: known.applier.service == ReplicationService::On,
        };
        let short = Threads {
            receiver: channel.receiving,
            applier: channel.applying,
        };
        same(&short, &running, "what runs, in short and in detail")?;
        // A receiver runs before it has asked its source who that is.
        let introduced = !running.receiver || known.source_uuid.is_some();
        if running == wanted && introduced {
            same(&channel.last_error.as_str(), &"", "the error")?;
            return Ok(channel);
        }
        patience.more(&format!("{wanted:?}"), &channel).await?;
    }
}

/// As it is before and after each promise.
async fn replicates(scene: &PairScene) -> Kept {
    let address = scene.there.address();
    let channel = until_running(scene, BOTH).await?;
    is_set(scene, &address).await?;
    let uuid = detail(&channel)?.source_uuid.clone();
    same(&uuid, &Some(address.uuid), "the source's UUID")?;
    // What is committed there now comes here.
    let written = scene.there.write().await?;
    until_executed(scene, &written).await
}

async fn until_executed(scene: &PairScene, wanted: &GtidSet) -> Kept {
    let patience = scene.here.patience();
    loop {
        let executed = executed(scene).await?;
        if wanted.is_subset_of(&executed) {
            return Ok(());
        }
        patience.more(&wanted.to_string(), &executed).await?;
    }
}

/// What was received, and what of it is not executed.
async fn waiting(scene: &PairScene) -> anyhow::Result<GtidSet> {
    let replication = scene.here.host.mysql.replication().await?;
    let channel = replication.channels.first().context("it has a channel")?;
    Ok(detail(channel)?.received.subtract(&replication.executed))
}

async fn until_waiting(scene: &PairScene, wanted: &GtidSet) -> Kept {
    let patience = scene.here.patience();
    loop {
        let waiting = waiting(scene).await?;
        if waiting == *wanted {
            return Ok(());
        }
        patience.more(&wanted.to_string(), &waiting).await?;
    }
}

/// Written there, and neither received nor executed here after a while. Gives what is new.
async fn stays_away(scene: &PairScene, before: &GtidSet) -> anyhow::Result<GtidSet> {
    let written = scene.there.write().await?;
    sleep(A_WHILE).await;
    same(&executed(scene).await?, before, "gtid_executed")?;
    same(&waiting(scene).await?, &GtidSet::default(), "what waits")?;
    Ok(written.subtract(before))
}

async fn a_replica_tells_whom_it_follows_and_takes_no_writes(scene: &PairScene) -> Kept {
    let mysql = &scene.here.host.mysql;
    let process = scene.here.host.service.main_pid().await?;
    replicates(scene).await?;
    let pulse = mysql.pulse().await?;
    ensure!(!pulse.writable(), "a replica takes writes");
    ensure!(pulse.state.is_none(), "it is a member of a group");
    let facts = mysql.facts().await?;
    let own = channel(scene).await?;
    let known = |facts: &ChannelFacts| {
        let detail = detail(facts)?;
        let source = (facts.source_host.clone(), detail.source_port);
        anyhow::Ok((source, detail.source_uuid.clone(), detail.user.clone()))
    };
    match &facts.channels {
        Fact::Known(told) if told.len() == 1 => {
            same(&known(&told[0])?, &known(&own)?, "the facts' channel")?;
        }
        other => bail!("the facts tell {other:?}"),
    }
    // Starting what runs changes nothing.
    for _ in 0..2 {
        mysql.start_replica().await?;
        mysql.start_receivers().await?;
        mysql.start_appliers().await?;
    }
    replicates(scene).await?;
    let now = scene.here.host.service.main_pid().await?;
    same(&now, &process, "the process")
}

async fn what_the_source_commits_is_received_and_executed(scene: &PairScene) -> Kept {
    let before = executed(scene).await?;
    for _ in 0..3 {
        let written = scene.there.write().await?;
        until_executed(scene, &written).await?;
        same(&executed(scene).await?, &written, "gtid_executed")?;
        let channel = channel(scene).await?;
        let received = &detail(&channel)?.received;
        let new = written.subtract(&before);
        ensure!(
            new.is_subset_of(received),
            "{new} is executed, and only {received} received"
        );
    }
    let after = executed(scene).await?;
    same(&after.count(), &(before.count() + 3), "how many")?;
    // Once all that was received is executed, nothing lags.
    let patience = scene.here.patience();
    loop {
        let lag = detail(&channel(scene).await?)?.lag_ms;
        if lag == Some(0) {
            break;
        }
        patience.more("no lag", &lag).await?;
    }
    replicates(scene).await
}

async fn a_receiver_stops_and_goes_on_where_it_was(scene: &PairScene) -> Kept {
    let mysql = &scene.here.host.mysql;
    replicates(scene).await?;
    for _ in 0..2 {
        mysql.stop_receivers().await?;
        until_running(scene, APPLIER).await?;
    }
    let before = executed(scene).await?;
    let new = stays_away(scene, &before).await?;
    for _ in 0..2 {
        mysql.start_receivers().await?;
    }
    until_running(scene, BOTH).await?;
    until_executed(scene, &new).await?;
    replicates(scene).await
}

async fn an_applier_stops_and_goes_on_where_it_was(scene: &PairScene) -> Kept {
    let mysql = &scene.here.host.mysql;
    replicates(scene).await?;
    for _ in 0..2 {
        mysql.stop_replica().await?;
        until_running(scene, NEITHER).await?;
    }
    let before = executed(scene).await?;
    let new = stays_away(scene, &before).await?;
    for _ in 0..2 {
        mysql.start_receivers().await?;
        until_running(scene, RECEIVER).await?;
    }
    until_waiting(scene, &new).await?;
    sleep(A_WHILE).await;
    same(&executed(scene).await?, &before, "gtid_executed")?;
    for _ in 0..2 {
        mysql.start_appliers().await?;
    }
    until_running(scene, BOTH).await?;
    until_executed(scene, &new).await?;
    replicates(scene).await
}

async fn a_source_is_changed_or_forgotten_only_while_nothing_runs(scene: &PairScene) -> Kept {
    let mysql = &scene.here.host.mysql;
    let address = scene.there.address();
    replicates(scene).await?;
    for running in [BOTH, APPLIER, RECEIVER] {
        mysql.stop_replica().await?;
        if running.receiver {
            mysql.start_receivers().await?;
        }
        if running.applier {
            mysql.start_appliers().await?;
        }
        until_running(scene, running).await?;
        let what = |what: &str| format!("{what} with {running:?}");
        let changed = mysql.change_source(&address, true).await;
        refused(changed, &what("another source"))?;
        refused(mysql.forget_sources().await, &what("no source"))?;
        refused(mysql.discard_logs().await, &what("no logs"))?;
        until_running(scene, running).await?;
        is_set(scene, &address).await?;
    }
    mysql.start_replica().await?;
    replicates(scene).await
}

async fn a_known_channel_keeps_its_account_and_settings(scene: &PairScene) -> Kept {
    let mysql = &scene.here.host.mysql;
    let address = scene.there.address();
    replicates(scene).await?;
    mysql.stop_replica().await?;
    let before = executed(scene).await?;
    let other = SourceAddress {
        ssl: !address.ssl,
        get_public_key: !address.get_public_key,
        connect_retry_s: address.connect_retry_s + 1,
        retry_count: address.retry_count + 1,
        ..address.clone()
    };
    for _ in 0..2 {
        mysql.change_source(&other, true).await?;
        until_running(scene, NEITHER).await?;
        is_set(scene, &address).await?;
        same(&waiting(scene).await?, &GtidSet::default(), "what waits")?;
    }
    let new = stays_away(scene, &before).await?;
    mysql.start_replica().await?;
    until_executed(scene, &new).await?;
    replicates(scene).await
}

async fn follows_nobody(scene: &PairScene, before: &GtidSet) -> Kept {
    let mysql = &scene.here.host.mysql;
    let replication = mysql.replication().await?;
    let channels = &replication.channels;
    ensure!(channels.is_empty(), "it has {channels:?}");
    same(&replication.executed, before, "gtid_executed")?;
    let facts = mysql.facts().await?;
    same(&facts.channels, &Fact::Known(Vec::new()), "the facts'")?;
    let what = "a start without a source";
    refused(mysql.start_replica().await, what)?;
    refused(mysql.start_receivers().await, what)?;
    mysql.stop_replica().await?;
    // No source is no reason to let writes in.
    ensure!(mysql.super_read_only().await?, "it takes writes");
    Ok(())
}

async fn who_forgot_its_source_follows_nobody_until_it_is_told_whom(scene: &PairScene) -> Kept {
    let mysql = &scene.here.host.mysql;
    let address = scene.there.address();
    replicates(scene).await?;
    mysql.stop_replica().await?;
    let before = executed(scene).await?;
    for _ in 0..2 {
        mysql.forget_sources().await?;
        follows_nobody(scene, &before).await?;
    }
    let written = scene.there.write().await?;
    for _ in 0..2 {
        mysql.change_source(&address, false).await?;
        is_set(scene, &address).await?;
        let channel = until_running(scene, NEITHER).await?;
        let uuid = &detail(&channel)?.source_uuid;
        ensure!(uuid.is_none(), "it knows {uuid:?} without having asked");
    }
    let new = written.subtract(&before);
    stays_away(scene, &before).await?;
    mysql.start_replica().await?;
    until_executed(scene, &new).await?;
    replicates(scene).await
}

/// Nobody listens there.
const NOBODYS_PORT: u16 = 3399;
const CANT_CONNECT: u32 = 2003;

async fn a_source_that_does_not_answer_is_told_and_given_up(scene: &PairScene) -> Kept {
    let mysql = &scene.here.host.mysql;
    let address = scene.there.address();
    replicates(scene).await?;
    mysql.stop_replica().await?;
    let before = executed(scene).await?;
    let nobody = SourceAddress {
        port: NOBODYS_PORT,
        connect_retry_s: 1,
        retry_count: 2,
        ..address.clone()
    };
    // Whoever is at another address is another server until it says who it is.
    mysql.change_source(&nobody, true).await?;
    let uuid = detail(&channel(scene).await?)?.source_uuid.clone();
    same(&uuid, &None, "the UUID of who is at another port")?;
    // A channel keeps its settings: its tries are for one that is new.
    mysql.forget_sources().await?;
    mysql.change_source(&nobody, false).await?;
    for _ in 0..2 {
        mysql.start_replica().await?;
        let mut connecting = false;
        let patience = scene.here.patience();
        loop {
            let seen = is_set(scene, &nobody).await?;
            let known = detail(&seen)?;
            ensure!(!seen.receiving, "it receives from nobody: {seen:?}");
            same(&known.source_uuid, &None, "the UUID of nobody")?;
            let told = known.receiver.errno == CANT_CONNECT;
            if told {
                ensure!(!seen.last_error.is_empty(), "there is no text: {seen:?}");
            }
            connecting |= known.receiver.service == ReplicationService::Connecting;
            if told && known.receiver.service == ReplicationService::Off {
                break;
            }
            patience.more("the receiver gives up", &seen).await?;
        }
        ensure!(connecting, "it has never tried to connect");
        // The applier minds what it has.
        let seen = channel(scene).await?;
        ensure!(seen.applying, "the applier ends with it: {seen:?}");
    }
    same(&executed(scene).await?, &before, "gtid_executed")?;
    mysql.stop_replica().await?;
    // Only the address is another: with its old tries the channel finds its source.
    mysql.change_source(&address, true).await?;
    mysql.start_replica().await?;
    until_running(scene, BOTH).await?;
    mysql.stop_replica().await?;
    mysql.forget_sources().await?;
    mysql.change_source(&address, false).await?;
    mysql.start_replica().await?;
    replicates(scene).await
}

async fn discarded_logs_are_fetched_again_by_their_gtids(scene: &PairScene) -> Kept {
    let mysql = &scene.here.host.mysql;
    let address = scene.there.address();
    replicates(scene).await?;
    mysql.stop_replica().await?;
    let before = executed(scene).await?;
    let new = stays_away(scene, &before).await?;
    mysql.start_receivers().await?;
    until_waiting(scene, &new).await?;
    mysql.stop_replica().await?;
    for _ in 0..2 {
        mysql.discard_logs().await?;
        same(&waiting(scene).await?, &GtidSet::default(), "what waits")?;
        same(&executed(scene).await?, &before, "gtid_executed")?;
        until_running(scene, NEITHER).await?;
        is_set(scene, &address).await?;
    }
    mysql.start_replica().await?;
    until_executed(scene, &new).await?;
    replicates(scene).await
}

async fn after_a_restart_it_replicates_and_in_maintenance_it_does_not(scene: &PairScene) -> Kept {
    let here = &scene.here;
    replicates(scene).await?;
    let before = executed(scene).await?;
    here.enter_maintenance().await?;
    here.restart().await?;
    until_running(scene, NEITHER).await?;
    is_set(scene, &scene.there.address()).await?;
    let new = stays_away(scene, &before).await?;
    here.host.mysql.start_replica().await?;
    until_executed(scene, &new).await?;
    here.leave_maintenance().await?;
    replicates(scene).await?;
    here.restart().await?;
    replicates(scene).await?;
    // As a rollout leaves it: a moment later nothing has changed.
    sleep(LOOK).await;
    until_running(scene, BOTH).await.map(drop)
}
