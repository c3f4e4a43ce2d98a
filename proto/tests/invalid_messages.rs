//! What is not a value does not come off the wire, and the error says where and why.

use refit_proto::exchange::BeatsRequest;
use refit_proto::{agent, common};
use refit_shared::observation::Observation;
use refit_shared::operation::Order;
use refit_shared::receipt::Progress;

/// An order with something to spoil.
fn swap() -> common::Order {
    let pin = || common::PackagePin {
        name: "mysql-server".to_owned(),
        version: "9.7.4-2".to_owned(),
        sha256: "0a".repeat(32),
    };
    common::Order {
        id: Some(common::AttemptId {
            rollout: "r1".to_owned(),
            step: 3,
            attempt: 1,
        }),
        epoch: 4,
        cluster: "orders".to_owned(),
        member: "db1".to_owned(),
        direction: common::Direction::Perform.into(),
        operation: Some(common::Operation {
            operation: Some(common::operation::Operation::SwapPackages(
                common::SwapPackages {
                    from: vec![pin()],
                    to: vec![pin(), pin()],
                },
            )),
        }),
        deadline_s: 60,
    }
}

fn snapshot(name: &str) -> Option<common::Operation> {
    let snapshot = common::SnapshotData {
        name: name.to_owned(),
    };
    Some(common::Operation {
        operation: Some(common::operation::Operation::SnapshotData(snapshot)),
    })
}

fn second_pin(order: &mut common::Order) -> &mut common::PackagePin {
    match &mut order.operation {
        Some(common::Operation {
            operation: Some(common::operation::Operation::SwapPackages(swap)),
        }) => &mut swap.to[1],
        other => panic!("the sample swaps packages, not {other:?}"),
    }
}

#[test]
fn errors_name_the_field_and_what_is_wrong_with_it() {
    type Spoil = fn(&mut common::Order);
    let sha = "order.operation.swap_packages.to[1].sha256: \"0A0A\" is not a SHA-256: 64 lower-case hexadecimal digits are expected";
    let cases: &[(Spoil, &str)] = &[
        (|o| o.id = None, "order.id: is missing"),
        (
            |o| o.id.as_mut().expect("set above").step = 65_536,
            "order.id.step: 65536 is out of range: 0 to 65535 is expected",
        ),
        (|o| o.direction = 0, "order.direction: is missing"),
        (
            |o| o.direction = 99,
            "order.direction: 99 is not a Direction that this version of Refit knows",
        ),
        (|o| o.operation = None, "order.operation: is missing"),
        (
            |o| o.operation = Some(common::Operation { operation: None }),
            "order.operation: is missing",
        ),
        (
            |o| o.cluster = "Orders".to_owned(),
            "order.cluster: cluster name \"Orders\" is not valid: use 1 to 63 of a-z, 0-9, '-' and '.', beginning with a letter or digit",
        ),
        (|o| second_pin(o).sha256 = "0A0A".to_owned(), sha),
        (
            |o| second_pin(o).version = "-o".to_owned(),
            "order.operation.swap_packages.to[1].version: \"-o\" is not a package version",
        ),
        (
            |o| second_pin(o).name = "--purge".to_owned(),
            "order.operation.swap_packages.to[1].name: \"--purge\" is not a package name: use 1 to 128 letters, digits and '+', '-', '.', '_', beginning with a letter or digit",
        ),
        (
            |o| o.operation = snapshot("../etc"),
            "order.operation.snapshot_data.name: \"../etc\" is not a snapshot name: use 1 to 128 letters, digits and '-', '.', '_', beginning with a letter or digit",
        ),
    ];
    Order::try_from(swap()).expect("the sample itself is valid");
    for (spoil, expected) in cases {
        let mut order = swap();
        spoil(&mut order);
        let error = Order::try_from(order).expect_err(expected);
        assert_eq!(error.to_string(), *expected);
    }
}

/// An observation that is valid as soon as its server is known or unknown.
fn seen() -> common::Observation {
    let unknown = || "not asked".to_owned();
    let boot_id = common::text_fact::Fact::UnknownReason(unknown());
    let uptime_s = common::count_fact::Fact::Value(1);
    let service = common::service_state_fact::Fact::Value(common::ServiceState::Active.into());
    let packages = common::package_fact::Fact::Value(common::PackageFacts::default());
    let config_digest = common::digest_fact::Fact::Value(vec![0; 32]);
    let storage = common::storage_fact::Fact::UnknownReason(unknown());
    let server = common::server_fact::Fact::UnknownReason(unknown());
    common::Observation {
        member: "db1".to_owned(),
        cluster: "orders".to_owned(),
        at_unix_ms: 0,
        agent: Some(common::AgentFacts::default()),
        host: Some(common::HostFacts {
            hostname: String::new(),
            os: String::new(),
            boot_id: Some(common::TextFact {
                fact: Some(boot_id),
            }),
            uptime_s: Some(common::CountFact {
                fact: Some(uptime_s),
            }),
        }),
        service: Some(common::ServiceStateFact {
            fact: Some(service),
        }),
        packages: Some(common::PackageFact {
            fact: Some(packages),
        }),
        config_digest: Some(common::DigestFact {
            fact: Some(config_digest),
        }),
        storage: Some(common::StorageFact {
            fact: Some(storage),
        }),
        server: Some(common::ServerFact { fact: Some(server) }),
    }
}

#[test]
fn a_fact_is_a_value_or_a_reason_and_a_set_has_nothing_twice() {
    type Spoil = fn(&mut common::Observation);
    fn packages(seen: &mut common::Observation, facts: common::PackageFacts) {
        let fact = Some(common::package_fact::Fact::Value(facts));
        seen.packages = Some(common::PackageFact { fact });
    }
    let cases: &[(Spoil, &str)] = &[
        (|o| o.server = None, "observation.server: is missing"),
        (
            |o| o.server = Some(common::ServerFact { fact: None }),
            "observation.server: is missing",
        ),
        (
            |o| {
                let fact = Some(common::service_state_fact::Fact::Value(77));
                o.service = Some(common::ServiceStateFact { fact });
            },
            "observation.service.value: 77 is not a ServiceState that this version of Refit knows",
        ),
        (
            |o| {
                let fact = Some(common::digest_fact::Fact::Value(vec![1; 31]));
                o.config_digest = Some(common::DigestFact { fact });
            },
            "observation.config_digest.value: a digest has 32 bytes, this has 31",
        ),
        (
            |o| {
                let held = vec!["a".to_owned(), "b".to_owned(), "a".to_owned()];
                packages(
                    o,
                    common::PackageFacts {
                        held,
                        ..Default::default()
                    },
                );
            },
            "observation.packages.value.held[2]: is there twice",
        ),
        (
            |o| {
                let installed = [("mysql-server".to_owned(), "x".to_owned())].into();
                packages(
                    o,
                    common::PackageFacts {
                        installed,
                        ..Default::default()
                    },
                );
            },
            "observation.packages.value.installed[\"mysql-server\"]: \"x\" is not a package version",
        ),
        (
            |o| {
                let time = common::MeasuredTime {
                    kind: common::OperationKind::JoinGroup.into(),
                    milliseconds: 5,
                };
                let measured = vec![time, time];
                o.agent = Some(common::AgentFacts {
                    measured,
                    ..Default::default()
                });
            },
            "observation.agent.measured[1].kind: is there twice",
        ),
    ];
    Observation::try_from(seen()).expect("the sample itself is valid");
    for (spoil, expected) in cases {
        let mut seen = seen();
        spoil(&mut seen);
        let error = Observation::try_from(seen).expect_err(expected);
        assert_eq!(error.to_string(), *expected);
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    let progress = common::Progress {
        phase: String::new(),
        percent: Some(101),
    };
    assert_eq!(
        Progress::try_from(progress).expect_err("101 %").to_string(),
        "progress.percent: 101 is out of range: 0 to 100 is expected"
    );
    for every_ms in [0, 19, 60_001, u32::MAX] {
        let request = agent::BeatsRequest {
            cluster: "orders".to_owned(),
            member: "db1".to_owned(),
            every_ms,
        };
        assert_eq!(
            BeatsRequest::try_from(request)
                .expect_err("refused")
                .to_string(),
            format!("beats_request.every_ms: {every_ms} is out of range: 20 to 60000 is expected")
        );
    }
}

#[test]
fn a_caller_with_an_invalid_message_is_told_where() {
    let mut order = swap();
    order.member = String::new();
    let status = tonic::Status::from(Order::try_from(order).expect_err("no member"));
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    assert!(status.message().starts_with("order.member: "), "{status}");
}
