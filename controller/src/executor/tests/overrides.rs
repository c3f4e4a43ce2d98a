//! Checks that block, and going on against them.

use crate::api::line;
use crate::fixture::{FakeAgents, SERIES, controller, memory, orders, request, somebody};
use crate::rollouts::ApiError;
use refit_shared::checks::rebuilds::{Advice, Advised};
use refit_shared::checks::{
    ADDRESSES_REACHABLE, Level, Override, Selection, VALIDATE_CONFIG, of_level,
};
use refit_shared::ids::{MemberName, Seq};
use refit_shared::observation::Fact;
use refit_shared::plan::{RiskLevel, Strategy};
use refit_shared::planner::Request;
use refit_shared::survey::{Judged, Listing, Question, Row};
use std::collections::BTreeMap;
use std::sync::Arc;

fn holds(question: Question, detail: &str) -> FakeAgents {
    let agents = FakeAgents::running(SERIES);
    let row = Row {
        schema: "shop".to_owned(),
        name: "p".to_owned(),
        part: "h".to_owned(),
        detail: detail.to_owned(),
    };
    let listing = Listing {
        total: 1,
        rows: vec![row],
    };
    agents.holds(question, listing);
    agents
}

/// The tables come from what the agents answer, and each is asked about before there is a plan.
#[tokio::test(start_paused = true)]
async fn the_checks_choose_the_tables_to_rebuild() {
    let agents = FakeAgents::running(SERIES);
    let row = |name: &str, part: &str, detail: &str| Row {
        schema: if name.is_empty() { "" } else { "shop" }.to_owned(),
        name: name.to_owned(),
        part: part.to_owned(),
        detail: detail.to_owned(),
    };
    let rows = vec![
        row("items", "error", "Table rebuild required. Please do …"),
        row("", "", "2 of 2 tables checked in 0.1 s"),
    ];
    agents.holds(Question::CheckedTables, Listing { total: 2, rows });
    let controller = controller(&agents, Arc::new(memory())).await;
    let rollouts = &controller.rollouts;
    let ask = |check_tables| Request {
        target: SERIES,
        strategy: Some(Strategy::RebuildTables),
        advised: Some(Advised {
            version: SERIES,
            check_tables,
            advice: Advice::default(),
        }),
        ..request()
    };
    let none = rollouts.advised(&orders(), &ask(false)).await.unwrap();
    assert!(none.tables.is_empty());
    let some = rollouts.advised(&orders(), &ask(true)).await.unwrap();
    assert_eq!(some.tables, ["shop.items".parse().unwrap()]);
    let (plan, _) = rollouts.plan(&orders(), &some).await.unwrap();
    let told = plan.report.hand_over.join("\n");
    let reason = "shop.items: checkTableCommand: Table rebuild required. Please do …";
    assert!(told.contains(reason), "{told}");
}

fn against(check: &str) -> Request {
    let mut request = request();
    request.policy.overrides.push(Override {
        check: check.to_owned(),
        reason: "tried on a copy".to_owned(),
        by: "ann".to_owned(),
    });
    request
}

fn blocking(result: Result<impl std::fmt::Debug, ApiError>) -> Vec<String> {
    match result {
        Err(ApiError::Blocked { findings, .. }) => {
            findings.into_iter().map(|finding| finding.check).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_schema_holds_blocks_until_it_is_overridden_and_that_is_on_record() {
    let agents = holds(Question::KeywordsInCode, "procedure: library");
    let controller = controller(&agents, Arc::new(memory())).await;
    let rollouts = &controller.rollouts;
    let checked = rollouts
        .check(&orders(), &request(), &Selection::all())
        .await
        .unwrap();
    let errors: Vec<_> = of_level(&checked.results, Level::Error).collect();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert_eq!(errors[0].object, "shop.p.h");

    assert_eq!(
        blocking(rollouts.plan(&orders(), &request()).await),
        ["routineSyntax"]
    );
    let other = rollouts.plan(&orders(), &against("authMethodUsage")).await;
    assert_eq!(blocking(other), ["routineSyntax"]);

    let (plan, _) = rollouts
        .plan(&orders(), &against("routineSyntax"))
        .await
        .unwrap();
    let warned = plan.report.warnings.iter();
    assert!(
        warned
            .clone()
            .any(|w| w.contains("overridden by ann: tried on a copy")),
        "{:?}",
        plan.report.warnings
    );
    assert_eq!(plan.report.risk.level, RiskLevel::High);
    let id = rollouts.apply(&plan.digest(), somebody()).await.unwrap();
    let entries = rollouts.audit(&id, Seq(0)).await.unwrap();
    let created = line(&plan, &entries[0]);
    assert!(
        created
            .text
            .contains("routineSyntax overridden by ann: tried on a copy"),
        "{}",
        created.text
    );
}

#[tokio::test(start_paused = true)]
async fn what_protects_data_blocks_whatever_the_plan_says() {
    let agents = holds(Question::FunctionsInGeneratedColumns, "STORED md5");
    let controller = controller(&agents, Arc::new(memory())).await;
    let refused = controller
        .rollouts
        .plan(&orders(), &against("removedFunctions"))
        .await;
    assert_eq!(blocking(refused), ["removedFunctions"]);
}

/// Asked only when a person says so; what it refuses blocks a plan, and so does not to know.
#[tokio::test(start_paused = true)]
async fn the_targets_own_mysqld_is_asked_when_a_person_says_so() {
    let agents = FakeAgents::running(SERIES);
    let controller = controller(&agents, Arc::new(memory())).await;
    let rollouts = &controller.rollouts;
    let asked = Request {
        validate_config: true,
        ..request()
    };
    let says = |accepted: bool, error: &str| {
        Some(Fact::Known(Judged {
            accepted,
            errors: vec![error.to_owned()],
            libraries: Fact::Known(BTreeMap::new()),
        }))
    };
    let refused = "[ERROR] [MY-000067] [Server] unknown variable 'no_such_option=1'.";
    agents.judges(says(false, refused));
    assert!(rollouts.plan(&orders(), &request()).await.is_ok());
    let no = rollouts.plan(&orders(), &asked).await;
    assert_eq!(blocking(no), ["validateConfig"]);
    let mut against = against("validateConfig");
    against.validate_config = true;
    assert!(rollouts.plan(&orders(), &against).await.is_ok());

    let wanted = Selection::all().with(VALIDATE_CONFIG);
    let checked = async |judged| {
        agents.judges(judged);
        let checked = rollouts
            .check(&orders(), &request(), &wanted)
            .await
            .unwrap();
        let found = of_level(&checked.results, Level::Error).cloned();
        found.collect::<Vec<_>>()
    };
    let found = checked(says(false, refused)).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].description.contains(refused), "{found:#?}");
    assert!(checked(says(true, "")).await.is_empty());
    let busy = Some(Fact::Unknown("the agent has an order in hand".to_owned()));
    for (judged, why) in [(busy, "an order in hand"), (None, "upgrade refit-agent")] {
        let found = checked(judged).await;
        assert_eq!(found.len(), 3, "one a member: {found:#?}");
        for one in found {
            assert!(one.description.contains("was not asked"), "{one:?}");
            assert!(one.description.contains(why), "{one:?}");
        }
    }
    agents.judges(says(true, ""));
    assert!(rollouts.plan(&orders(), &asked).await.is_ok());
}

/// Each agent tries the others' addresses, whenever somebody checks or plans.
#[tokio::test(start_paused = true)]
async fn members_that_nobody_reaches_block_and_one_is_told() {
    let agents = FakeAgents::running(SERIES);
    let controller = controller(&agents, Arc::new(memory())).await;
    let rollouts = &controller.rollouts;
    let wanted = Selection::new([ADDRESSES_REACHABLE], []).unwrap();
    let look = async || {
        let checked = rollouts
            .check(&orders(), &request(), &wanted)
            .await
            .unwrap();
        let found = checked
            .results
            .into_iter()
            .flat_map(|result| result.findings);
        found
            .map(|finding| (finding.level, finding.object))
            .collect::<Vec<_>>()
    };
    assert_eq!(look().await, []);
    let name = |text: &str| MemberName::new(text).unwrap();
    agents.hides(&name("m3"), "no answer within 2 s");
    assert_eq!(look().await, [(Level::Warning, "m3".to_owned())]);
    assert!(rollouts.plan(&orders(), &request()).await.is_ok());
    // m1 has nobody left to catch up from, and m3 only m1.
    agents.hides(&name("m2"), "no answer within 2 s");
    let errors = [
        (Level::Error, "m2".to_owned()),
        (Level::Error, "m3".to_owned()),
    ];
    let all = look().await;
    assert!(errors.iter().all(|error| all.contains(error)), "{all:?}");
    let no = rollouts.plan(&orders(), &request()).await;
    assert_eq!(blocking(no), ["addressesReachable"; 2]);
}
