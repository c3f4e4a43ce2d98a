//! Plans travel as the bytes that were reviewed, and no others are taken for a plan.

use refit_proto::common::PlanDocument;
use refit_shared::ids::{ClusterName, Digest};
use refit_shared::observation::Seconds;
use refit_shared::plan::drift::World;
use refit_shared::plan::{
    ApprovePivot, PLAN_FORMAT, Plan, Policy, Report, Risk, RiskLevel, Stage, Strategy, Target,
};
use refit_shared::version::{MysqlVersion, PackageVersion};

fn plan() -> Plan {
    Plan {
        format: PLAN_FORMAT,
        cluster: ClusterName::new("orders").expect("a valid name"),
        strategy: Strategy::InGroupRolling,
        target: Target {
            version: MysqlVersion::new(9, 7, 4),
            package_version: PackageVersion::new("9.7.4-2").expect("a valid version"),
        },
        policy: Policy {
            approve_pivot: ApprovePivot::Person,
            accept_no_spare: true,
            restore_primary: true,
            soak_s: 30,
            keep_config: false,
            overrides: Vec::new(),
            release: Vec::new(),
        },
        made_unix_ms: 1_763_000_000_000,
        made_from: World {
            group: None,
            members: [].into(),
        },
        frozen: [].into(),
        stages: vec![],
        finalize: Stage {
            title: "finalize".to_owned(),
            lanes: vec![],
        },
        pivot: None,
        report: Report {
            order: vec!["db2 first".to_owned()],
            hand_over: vec![],
            can_be_undone: vec![],
            risk: Risk {
                level: RiskLevel::Low,
                reasons: vec![],
            },
            warnings: vec![],
            estimate: Seconds::from_millis(1_234),
            downtime: None,
        },
    }
}

fn document(json: impl Into<Vec<u8>>) -> PlanDocument {
    let canonical_json = json.into();
    PlanDocument {
        digest: Digest::of(&canonical_json).as_bytes().to_vec(),
        canonical_json,
    }
}

#[test]
fn a_plan_survives_with_its_digest() {
    let plan = plan();
    let sent = PlanDocument::from(&plan);
    assert_eq!(sent.digest, plan.digest().as_bytes());
    let received = Plan::try_from(sent).expect("our own document");
    assert_eq!(received.digest(), plan.digest());
    assert_eq!(received, plan);
}

#[test]
fn what_is_not_exactly_a_plan_is_refused() {
    let json = String::from_utf8(plan().canonical_bytes()).expect("JSON is UTF-8");
    let edited = PlanDocument {
        canonical_json: json.replace("9.7.4", "9.7.5").into_bytes(),
        ..PlanDocument::from(&plan())
    };
    let cases = [
        (edited, "plan.digest: the document's digest is "),
        (
            document(json.replace("\"format\":1", "\"format\":2")),
            "plan.canonical_json: the plan has format 2, this version of Refit reads format 1",
        ),
        (
            document(format!(" {json}")),
            "plan.canonical_json: is not the canonical form of the plan that it holds",
        ),
        (
            document(json.replace("\"cluster\"", "\"extra\":1,\"cluster\"")),
            "plan.canonical_json: is not a plan: unknown field `extra`",
        ),
        (document("[]"), "plan.canonical_json: is not a plan: "),
        (document([0xff]), "plan.canonical_json: is not a plan: "),
        (
            document("[".repeat(100_000)),
            "plan.canonical_json: is not a plan: ",
        ),
        (
            PlanDocument::default(),
            "plan.digest: a digest has 32 bytes, this has 0",
        ),
    ];
    for (document, expected) in cases {
        let error = Plan::try_from(document).expect_err(expected).to_string();
        assert!(error.starts_with(expected), "{error}\nis not\n{expected}");
    }
}
