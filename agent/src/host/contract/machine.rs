//! The machine around the server.

use super::{Kept, Scene, promises, refused};
use anyhow::ensure;
use refit_shared::survey::{Address, Question, Speaks};

promises!("Machine", Scene:
    memory_is_told_in_bytes,
    every_question_about_the_machine_is_answered,
    a_question_about_the_server_is_an_error,
    addresses_that_lead_nowhere_are_told_and_no_others,
);

async fn memory_is_told_in_bytes(scene: &Scene) -> Kept {
    let memory = scene.host.machine.ask(Question::MemoryAvailable).await?;
    ensure!(memory.total > 1 << 20, "{} bytes are told", memory.total);
    Ok(())
}

async fn every_question_about_the_machine_is_answered(scene: &Scene) -> Kept {
    for question in Question::ALL.iter().filter(|q| q.of_the_machine()) {
        let listing = scene.host.machine.ask(*question).await?;
        ensure!(
            listing.rows.len() as u64 <= listing.total,
            "{question}: {listing:?}"
        );
    }
    Ok(())
}

async fn a_question_about_the_server_is_an_error(scene: &Scene) -> Kept {
    for question in Question::ALL.iter().filter(|q| !q.of_the_machine()) {
        let answer = scene.host.machine.ask(*question).await;
        refused(answer, question.as_str())?;
    }
    Ok(())
}

async fn addresses_that_lead_nowhere_are_told_and_no_others(scene: &Scene) -> Kept {
    let server = scene.host.mysql.facts().await?;
    let address = |host: &str| Address {
        host: host.to_owned(),
        port: server.port,
        // No account may be there that is let in from elsewhere.
        speaks: Speaks::Xcom,
    };
    let (own, nowhere) = (address("127.0.0.1"), address("no-such-host.invalid"));
    for _ in 0..2 {
        let tried = [own.clone(), nowhere.clone()];
        let told = scene.host.machine.unreached(&tried).await?;
        let names: Vec<&Address> = told.keys().collect();
        ensure!(names == [&nowhere], "{told:?}");
    }
    Ok(())
}
