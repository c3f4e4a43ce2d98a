//! The local server, standing alone.

use super::{Kept, LOOK, Scene, promises, refused, same};
use crate::host::{HostError, HostResult, LogFormat};
use anyhow::{bail, ensure};
use refit_shared::checks::{self, Selection, VersionPair};
use refit_shared::observation::Fact;
use refit_shared::survey::Question;
use refit_shared::table::{TableFacts, TableName};
use std::time::Duration;
use tokio::time::{Instant, sleep};

promises!("Mysql", Scene:
    it_tells_who_it_is_and_stays_who_it_is,
    read_only_is_seen_in_every_answer_and_may_be_set_again,
    what_is_persisted_outlives_a_restart,
    administrators_are_admitted_where_it_is_read_only_and_nowhere_else,
    alone_it_has_no_group_and_no_source,
    where_nobody_writes_nobody_is_told_to_write,
    a_fast_shutdown_is_zero_or_one,
    the_log_has_the_format_that_was_set,
    tables_are_told_in_the_order_in_which_they_were_asked_for,
    a_rebuild_writes_no_transaction_and_leaves_the_table,
    read_only_nothing_is_rebuilt_unless_administrators_are_admitted,
    logs_are_discarded_and_transactions_stay,
    every_question_that_an_upgrade_asks_of_it_is_answered,
    what_is_down_is_away,
);

/// What a statement may take.
const TIME: Duration = Duration::from_secs(60);

async fn it_tells_who_it_is_and_stays_who_it_is(scene: &Scene) -> Kept {
    let uuid = scene.host.mysql.uuid().await?;
    let facts = scene.host.mysql.facts().await?;
    same(&facts.uuid, &uuid, "the UUID among the facts")?;
    let installed = scene.present[0].version.mysql_version()?;
    same(&facts.version, &installed, "the version")?;
    scene.restart().await?;
    same(&scene.host.mysql.uuid().await?, &uuid, "the UUID")
}

/// What each answer says of super_read_only.
async fn is_read_only(scene: &Scene, on: bool) -> Kept {
    let mysql = &scene.host.mysql;
    same(&mysql.super_read_only().await?, &on, "super_read_only")?;
    let pulse = mysql.pulse().await?;
    same(&pulse.super_read_only, &on, "super_read_only in the pulse")?;
    let facts = mysql.facts().await?;
    let among = "super_read_only among the facts";
    same(&facts.super_read_only, &on, among)
}

async fn read_only_is_seen_in_every_answer_and_may_be_set_again(scene: &Scene) -> Kept {
    for on in [true, false] {
        for _ in 0..2 {
            scene.host.mysql.set_super_read_only(on).await?;
            is_read_only(scene, on).await?;
            let facts = scene.host.mysql.facts().await?;
            same(&facts.read_only, &on, "read_only")?;
        }
    }
    Ok(())
}

async fn what_is_persisted_outlives_a_restart(scene: &Scene) -> Kept {
    let (mysql, files) = (&scene.host.mysql, &scene.host.files);
    let digest = files.config_digest().await?;
    files.back_up_config("contract-persisted").await?;
    for on in [true, false] {
        for _ in 0..2 {
            mysql.persist_read_only(on).await?;
            is_read_only(scene, on).await?;
        }
        scene.restart().await?;
        is_read_only(scene, on).await?;
        let now = files.config_digest().await?;
        ensure!(now != digest, "the option files do not tell it");
    }
    scene.stop().await?;
    files.restore_config("contract-persisted").await?;
    same(&files.config_digest().await?, &digest, "the digest")?;
    scene.start().await?;
    is_read_only(scene, false).await
}

async fn administrators_are_admitted_where_it_is_read_only_and_nowhere_else(scene: &Scene) -> Kept {
    let mysql = &scene.host.mysql;
    refused(
        mysql.admit_administrators(true).await,
        "admitting administrators alone where all may write",
    )?;
    is_read_only(scene, false).await?;
    mysql.set_super_read_only(true).await?;
    for on in [true, false] {
        for _ in 0..2 {
            mysql.admit_administrators(on).await?;
            is_read_only(scene, !on).await?;
            let facts = mysql.facts().await?;
            ensure!(facts.read_only, "others than administrators may write");
        }
    }
    // Whoever closes the server closes it for administrators, too.
    mysql.admit_administrators(true).await?;
    mysql.set_super_read_only(true).await?;
    is_read_only(scene, true).await?;
    mysql.admit_administrators(true).await?;
    mysql.set_super_read_only(false).await?;
    is_read_only(scene, false).await?;
    let facts = mysql.facts().await?;
    ensure!(!facts.read_only, "only administrators may write");
    Ok(())
}

async fn alone_it_has_no_group_and_no_source(scene: &Scene) -> Kept {
    let mysql = &scene.host.mysql;
    let facts = mysql.facts().await?;
    same(&facts.group, &Fact::Known(None), "the group")?;
    same(&facts.channels, &Fact::Known(Vec::new()), "the channels")?;
    ensure!(mysql.group().await?.is_none(), "it has a group");
    ensure!(mysql.pulse().await?.state.is_none(), "it is a member");
    let replication = mysql.replication().await?;
    ensure!(replication.channels.is_empty(), "it has a channel");
    same(&replication.executed, &facts.gtid_executed, "gtid_executed")?;
    mysql.set_super_read_only(true).await?;
    refused(
        mysql.start_group_replication(TIME).await,
        "START GROUP_REPLICATION without a group",
    )?;
    mysql.set_super_read_only(false).await?;
    refused(
        mysql.start_replica().await,
        "START REPLICA without a source",
    )?;
    mysql.stop_replica().await?;
    mysql.forget_sources().await?;
    is_read_only(scene, false).await
}

async fn where_nobody_writes_nobody_is_told_to_write(scene: &Scene) -> Kept {
    let mysql = &scene.host.mysql;
    same(&mysql.writing_transactions().await?, &0, "those who write")?;
    let before = mysql.replication().await?.executed;
    let after = mysql.replication().await?.executed;
    same(&after, &before, "gtid_executed")
}

async fn a_fast_shutdown_is_zero_or_one(scene: &Scene) -> Kept {
    let mysql = &scene.host.mysql;
    refused(mysql.set_fast_shutdown(2).await, "a shutdown like a crash")?;
    mysql.set_fast_shutdown(0).await?;
    scene.restart().await?;
    Ok(mysql.set_fast_shutdown(1).await?)
}

async fn the_log_has_the_format_that_was_set(scene: &Scene) -> Kept {
    let mysql = &scene.host.mysql;
    let before = mysql.log_format().await?;
    for format in [
        LogFormat::Statement,
        LogFormat::Mixed,
        LogFormat::Row,
        before,
    ] {
        mysql.set_log_format(format).await?;
        same(&mysql.log_format().await?, &format, "binlog_format")?;
    }
    let deadline = Instant::now() + scene.patience;
    loop {
        let others = mysql.sessions_without_rows().await?;
        if others.is_empty() {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "{others:?} still log no rows, and nobody is connected"
        );
        sleep(LOOK).await;
    }
}

fn missing() -> anyhow::Result<TableName> {
    Ok("refit_contract.missing".parse()?)
}

async fn tables_are_told_in_the_order_in_which_they_were_asked_for(scene: &Scene) -> Kept {
    let asked = [scene.table.clone(), missing()?, scene.table.clone()];
    let told = scene.host.mysql.tables(&asked).await?;
    match told.as_slice() {
        [
            TableFacts::Base { engine: one, .. },
            TableFacts::Missing,
            TableFacts::Base { engine: other, .. },
        ] if one == "InnoDB" && other == "InnoDB" => Ok(()),
        told => bail!("a table, none and the table are told as {told:?}"),
    }
}

async fn rebuild(scene: &Scene, lock_free: bool) -> HostResult<()> {
    let mysql = &scene.host.mysql;
    let rebuilt = mysql.rebuild_table(&scene.table, lock_free, TIME).await?;
    if rebuilt.before == rebuilt.after {
        return Ok(());
    }
    Err(HostError::Unexpected(format!(
        "the rebuild has written transactions: {} before, {} after",
        rebuilt.before, rebuilt.after
    )))
}

async fn a_rebuild_writes_no_transaction_and_leaves_the_table(scene: &Scene) -> Kept {
    let mysql = &scene.host.mysql;
    let before = mysql.replication().await?.executed;
    for lock_free in [true, false] {
        rebuild(scene, lock_free).await?;
    }
    let after = mysql.replication().await?.executed;
    same(&after, &before, "gtid_executed")?;
    tables_are_told_in_the_order_in_which_they_were_asked_for(scene).await
}

async fn read_only_nothing_is_rebuilt_unless_administrators_are_admitted(scene: &Scene) -> Kept {
    let mysql = &scene.host.mysql;
    mysql.set_super_read_only(true).await?;
    refused(
        rebuild(scene, true).await,
        "a rebuild under super_read_only",
    )?;
    mysql.admit_administrators(true).await?;
    rebuild(scene, true).await?;
    mysql.admit_administrators(false).await?;
    refused(
        rebuild(scene, true).await,
        "a rebuild under super_read_only",
    )?;
    Ok(mysql.set_super_read_only(false).await?)
}

async fn logs_are_discarded_and_transactions_stay(scene: &Scene) -> Kept {
    let mysql = &scene.host.mysql;
    let before = mysql.replication().await?.executed;
    for _ in 0..2 {
        mysql.discard_logs().await?;
        let after = mysql.replication().await?.executed;
        same(&after, &before, "gtid_executed")?;
    }
    Ok(())
}

async fn every_question_that_an_upgrade_asks_of_it_is_answered(scene: &Scene) -> Kept {
    let pair = VersionPair {
        from: scene.present[0].version.mysql_version()?,
        to: scene.other[0].version.mysql_version()?,
    };
    let asked = checks::needed(&Selection::all(), pair);
    let about = |question: &&Question| !question.of_the_machine() && !question.of_the_files();
    let asked: Vec<&Question> = asked.iter().filter(about).collect();
    ensure!(asked.len() > 5, "only {asked:?} are asked");
    for question in asked {
        let listing = scene.host.mysql.ask(*question).await?;
        let rows = listing.rows.len() as u64;
        ensure!(
            rows <= listing.total,
            "{question}: {rows} of {} are told",
            listing.total
        );
    }
    Ok(())
}

fn away<T: std::fmt::Debug>(answer: HostResult<T>, what: &str) -> Kept {
    match answer {
        Err(HostError::ServerAway(_)) => Ok(()),
        other => bail!("{what} of a server that is down is {other:?}"),
    }
}

async fn what_is_down_is_away(scene: &Scene) -> Kept {
    scene.stop().await?;
    let mysql = &scene.host.mysql;
    away(mysql.facts().await, "the facts")?;
    away(mysql.pulse().await, "the pulse")?;
    away(mysql.group().await, "the group")?;
    away(mysql.uuid().await, "the UUID")?;
    away(mysql.replication().await, "the replication")?;
    away(mysql.super_read_only().await, "super_read_only")?;
    away(mysql.set_super_read_only(true).await, "a setting")?;
    away(mysql.writing_transactions().await, "who writes")?;
    away(mysql.ask(Question::Tablespaces).await, "an answer")?;
    away(rebuild(scene, true).await, "a rebuild")?;
    scene.start().await
}
