//! Every method that the daemons serve × every role, against a table that is written out: a new method is refused a place here
//! until somebody has said who may call it.

use refit_proto::tls::connect;
use tonic::Code;

use crate::support::*;

/// Who may call a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Only {
    Controllers,
    Operators,
    Anybody,
}

#[rustfmt::skip]
const TABLE: &[(&str, Only)] = &[
    ("/refit.agent.v1.Agent/Observe",                                  Only::Controllers),
    ("/refit.agent.v1.Agent/CarryOut",                                 Only::Controllers),
    ("/refit.agent.v1.Agent/Probe",                                    Only::Controllers),
    ("/refit.agent.v1.Agent/Beats",                                    Only::Controllers),
    ("/refit.agent.v1.Agent/Ledger",                                   Only::Controllers),
    ("/refit.agent.v1.Agent/Survey",                                   Only::Controllers),
    ("/refit.operator.v1.Operator/Fleet",                              Only::Operators),
    ("/refit.operator.v1.Operator/Check",                              Only::Operators),
    ("/refit.operator.v1.Operator/Config",                             Only::Operators),
    ("/refit.operator.v1.Operator/Rehearse",                           Only::Operators),
    ("/refit.operator.v1.Operator/Plan",                               Only::Operators),
    ("/refit.operator.v1.Operator/Apply",                              Only::Operators),
    ("/refit.operator.v1.Operator/Watch",                              Only::Operators),
    ("/refit.operator.v1.Operator/List",                               Only::Operators),
    ("/refit.operator.v1.Operator/Show",                               Only::Operators),
    ("/refit.operator.v1.Operator/Pause",                              Only::Operators),
    ("/refit.operator.v1.Operator/Resume",                             Only::Operators),
    ("/refit.operator.v1.Operator/Approve",                            Only::Operators),
    ("/refit.operator.v1.Operator/Unwind",                             Only::Operators),
    ("/refit.operator.v1.Operator/Cancel",                             Only::Operators),
    ("/refit.operator.v1.Operator/Finalize",                           Only::Operators),
    ("/refit.operator.v1.Operator/Audit",                              Only::Operators),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",      Only::Operators),
    ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Only::Operators),
    ("/grpc.health.v1.Health/Check",                                   Only::Anybody),
    ("/grpc.health.v1.Health/Watch",                                   Only::Anybody),
];

/// As the .proto files have them.
fn served() -> Vec<String> {
    let files = [
        (
            "/refit.agent.v1.Agent",
            include_str!("../../proto/refit/agent/v1/agent.proto"),
        ),
        (
            "/refit.operator.v1.Operator",
            include_str!("../../proto/refit/operator/v1/operator.proto"),
        ),
    ];
    let methods = |(service, text): (&str, &str)| -> Vec<String> {
        text.lines()
            .filter_map(|line| line.trim().strip_prefix("rpc ")?.split('(').next())
            .map(|method| format!("{service}/{}", method.trim()))
            .collect()
    };
    files.into_iter().flat_map(methods).collect()
}

#[test]
fn every_method_has_its_line_in_the_table() {
    let served = served();
    assert!(served.len() > 15, "{served:?}");
    let own = |path: &&str| path.starts_with("/refit.");
    let told: Vec<&str> = TABLE.iter().map(|(path, _)| *path).filter(own).collect();
    for path in &served {
        assert!(told.contains(&path.as_str()), "{path} is not in the table");
    }
    for path in told {
        assert!(served.iter().any(|one| one == path), "{path} is not served");
    }
}

#[tokio::test]
async fn every_method_is_open_to_its_role_and_to_no_other() {
    let ca = Ca::new("ca");
    let server = ca.issue(AGENT).open();
    let (_server, address) = TestServer::tcp(&server).await;
    for (caller, is) in [
        (CONTROLLER, Some(Only::Controllers)),
        (OPERATOR, Some(Only::Operators)),
        (AGENT, None),
    ] {
        let client = ca.issue(caller).open();
        let channel = connect(address.clone(), id(AGENT), client.reloading.clone());
        for (path, only) in TABLE {
            if *path == "/grpc.health.v1.Health/Check" {
                check(channel.clone()).await.unwrap();
                continue;
            }
            if *only == Only::Anybody {
                continue; // a stream, served: there is no refusal to look at
            }
            let status = call(channel.clone(), path).await;
            // Unimplemented is what lies behind the layer: the call was let through to it.
            let expected = if Some(*only) == is {
                Code::Unimplemented
            } else {
                Code::PermissionDenied
            };
            assert_eq!(status.code(), expected, "{caller} {path}: {status}");
        }
    }
}
