use crate::play::*;
use refit_integration::stage::Fleet;

/// The real service manager, package manager, server and files keep what the simulated ones keep. Afterwards the host is as it was.
#[test]
fn a_real_host_keeps_the_contract_of_its_ports() {
    let stage = set_as("older", Fleet::standalone);
    let lab = &stage.lab;
    let ask = |statement: &str| lab.sql("db1", statement).unwrap();
    let exec = |argv: &[&str]| lab.exec("db1", argv).unwrap();
    for statement in [
        "CREATE DATABASE contract",
        "CREATE TABLE contract.orders (id INT PRIMARY KEY, note TEXT) ENGINE = InnoDB",
        "INSERT INTO contract.orders VALUES (1, 'one'), (2, 'two')",
    ] {
        ask(statement);
    }
    let state = || {
        (
            stage.world().unwrap(),
            ask("SELECT @@GLOBAL.gtid_executed"),
            ask("SELECT GROUP_CONCAT(id, note ORDER BY id) FROM contract.orders"),
        )
    };
    let before = state();
    exec(&["systemctl", "stop", "refit-agent"])
        .ok("the agent makes room")
        .unwrap();
    let other = lab.version("newest").unwrap();
    let judged = exec(&[
        "/opt/refit/bin/refit-contract",
        "--this-is-a-lab",
        "--table",
        "contract.orders",
        "--other",
        &other,
    ]);
    println!("{}{}", judged.stdout, judged.stderr);
    let promises = judged.stdout.matches("kept    ").count();
    assert_eq!(judged.code, 0, "a promise is broken, see above");
    assert!(promises > 50, "{promises} promises");
    assert_eq!(state(), before, "the host is as it was");
    exec(&["systemctl", "start", "refit-agent"])
        .ok("the agent is back")
        .unwrap();
}
