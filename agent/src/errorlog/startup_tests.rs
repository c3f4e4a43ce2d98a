use super::*;
use proptest::prelude::*;

/// Real lines of 9.7 on Debian; `Startup` sees them as they are in the file.
const START: &str = "\
2026-11-20T13:06:04.484252Z 0 [System] [MY-015015] [Server] MySQL Server - start.
2026-11-20T13:06:04.686928Z 0 [Warning] [MY-011070] [Server] 'binlog_format' is deprecated and will be removed in a future release.
2026-11-20T13:06:04.688845Z 0 [System] [MY-010116] [Server] /usr/sbin/mysqld (mysqld 9.7.5) starting as process 1070
2026-11-20T13:06:04.697663Z 1 [System] [MY-013576] [InnoDB] InnoDB initialization has started.
2026-11-20T13:06:05.433545Z 1 [System] [MY-013577] [InnoDB] InnoDB initialization has ended.
";
const READY: &str = "\
2026-11-20T13:06:05.892941Z 0 [System] [MY-010931] [Server] /usr/sbin/mysqld: ready for connections. Version: '9.7.5'  socket: '/var/run/mysqld/mysqld.sock'  port: 3306  (Debian).
2026-11-20T13:06:05.893803Z 4 [System] [MY-011565] [Repl] Plugin group_replication reported: 'Setting super_read_only=ON.'
";
const CRASH: &str = "\
2026-11-20T13:06:05Z UTC - mysqld got signal 11 ;
Signal SIGSEGV (Address not mapped to object) at address 0x10
Most likely, you have hit a bug, but this error can also be caused by malfunctioning hardware.
";
const DICTIONARY: &str = "\
2026-11-20T13:07:13.679458Z 1 [System] [MY-011090] [Server] Data dictionary upgrading from version '80300' to '90200'.
";
const DICTIONARY_DONE: &str = "\
2026-11-20T13:07:14.054513Z 1 [System] [MY-013413] [Server] Data dictionary upgrade from version '80300' to '90200' completed.
";
const SERVER: &str = "\
2026-11-20T13:07:15.832342Z 4 [System] [MY-013381] [Server] Server upgrade from '80408' to '90704' started.
";
const SERVER_DONE: &str = "\
2026-11-20T13:07:20.861238Z 4 [System] [MY-013381] [Server] Server upgrade from '80408' to '90704' completed.
";
const PATH_REFUSED: &str = "\
2026-11-20T13:07:23.614903Z 1 [ERROR] [MY-014060] [Server] Invalid MySQL server upgrade: Cannot upgrade from 80018 to 90704. Upgrade to next major version is only allowed from the last LTS release, which version 80018 is not.
2026-11-20T13:07:23.615120Z 0 [ERROR] [MY-010020] [Server] Data Dictionary initialization failed.
2026-11-20T13:07:23.615139Z 0 [ERROR] [MY-010119] [Server] Aborting
2026-11-20T13:07:24.177154Z 0 [System] [MY-010910] [Server] /usr/sbin/mysqld: Shutdown complete (mysqld 9.7.3)  (Debian).
2026-11-20T13:07:24.177167Z 0 [System] [MY-015016] [Server] MySQL Server - end.
";
const UNKNOWN_OPTION: &str = "\
2026-11-20T13:05:47.443071Z 0 [ERROR] [MY-000067] [Server] unknown variable 'no_such_option=1'.
2026-11-20T13:05:47.443492Z 0 [ERROR] [MY-010119] [Server] Aborting
2026-11-20T13:05:48.468955Z 4 [ERROR] [MY-011563] [Repl] Plugin group_replication reported: 'Unable to start Group Replication.'
";

fn after(texts: &[&str]) -> Startup {
    let mut startup = Startup::new();
    for line in texts.iter().flat_map(|text| text.lines()) {
        startup.feed(line);
    }
    startup
}

#[test]
fn a_plain_start_becomes_ready() {
    assert_eq!(after(&[]).verdict(true), Verdict::Waiting);
    assert_eq!(after(&[START]).verdict(true), Verdict::InnoDb);
    let ready = Verdict::Ready {
        version: MysqlVersion::new(9, 7, 5),
    };
    assert_eq!(after(&[START, READY]).verdict(true), ready);
}

#[test]
fn an_upgrade_of_the_dictionary_passes_its_phases_in_order() {
    let phase = |texts: &[&str]| after(texts).verdict(true).to_string();
    assert_eq!(
        phase(&[START, DICTIONARY]),
        "upgrading the data dictionary from 8.3.0 to 9.2.0"
    );
    let startup = after(&[START, DICTIONARY, DICTIONARY_DONE]);
    assert!(startup.past_no_return());
    assert_eq!(
        phase(&[START, DICTIONARY, DICTIONARY_DONE, SERVER]),
        "upgrading system tables from 8.4.8 to 9.7.4; must not be interrupted"
    );
    let all = [
        START,
        DICTIONARY,
        DICTIONARY_DONE,
        SERVER,
        SERVER_DONE,
        READY,
    ];
    assert!(matches!(after(&all).verdict(true), Verdict::Ready { .. }));
}

#[test]
fn ready_and_then_dead_is_dead() {
    let startup = after(&[START, READY]);
    assert!(matches!(startup.verdict(false), Verdict::Died { .. }));
    // The crash handler has spoken: it is not ready although the process still writes its stack.
    let Verdict::Died { last_words, after } = after(&[START, READY, CRASH]).verdict(true) else {
        panic!("must have died");
    };
    assert!(last_words[0].contains("got signal 11"), "{last_words:?}");
    assert_eq!(after, DataDirAfter::NeedsPreviousVersion);
}

#[test]
fn the_first_real_reason_counts_and_not_the_closing_lines() {
    let Verdict::Refused(refusal) = after(&[START, PATH_REFUSED]).verdict(false) else {
        panic!("must be refused");
    };
    assert_eq!(
        (refusal.code, refusal.after),
        (14060, DataDirAfter::Untouched)
    );
    assert!(refusal.said.contains("from 80018 to 90704"), "{refusal}");
    let Verdict::Refused(refusal) = after(&[START, UNKNOWN_OPTION]).verdict(false) else {
        panic!("must be refused");
    };
    assert_eq!(refusal.code, 67);
}

#[test]
fn only_closing_lines_are_better_than_nothing() {
    let aborting = PATH_REFUSED.lines().nth(1).unwrap();
    let Verdict::Refused(refusal) = after(&[START, aborting]).verdict(false) else {
        panic!("must be refused");
    };
    assert_eq!(refusal.code, 10020);
}

#[test]
fn once_the_upgrade_has_changed_something_only_the_snapshot_helps() {
    for begun in [DICTIONARY_DONE, SERVER] {
        for end in ["", UNKNOWN_OPTION] {
            let verdict = after(&[START, DICTIONARY, begun, end]).verdict(false);
            let (Verdict::Died { after, .. } | Verdict::Refused(Refusal { after, .. })) = verdict
            else {
                panic!("{verdict:?}");
            };
            assert_eq!(after, DataDirAfter::RestoreSnapshot);
        }
    }
    assert!(matches!(
        after(&[START, DICTIONARY]).verdict(false),
        Verdict::Died {
            after: DataDirAfter::NeedsPreviousVersion,
            ..
        }
    ));
}

#[test]
fn an_earlier_start_does_not_count() {
    let startup = after(&[START, PATH_REFUSED, START]);
    assert_eq!(startup.verdict(true), Verdict::InnoDb);
    assert!(matches!(startup.verdict(false), Verdict::Died { .. }));
    // Before 8.4 a start begins with MY-010116.
    let old: String = START.lines().skip(1).flat_map(|l| [l, "\n"]).collect();
    assert!(matches!(
        after(&[&old, PATH_REFUSED, &old]).verdict(false),
        Verdict::Died { .. }
    ));
}

fn pieces() -> impl Strategy<Value = String> {
    let real = [
        START,
        READY,
        CRASH,
        DICTIONARY,
        DICTIONARY_DONE,
        SERVER,
        SERVER_DONE,
        PATH_REFUSED,
        UNKNOWN_OPTION,
    ];
    prop_oneof![
        proptest::sample::select(real.to_vec()).prop_map(str::to_owned),
        "\\PC{0,80}",
        "[0-9TZ:.-]{1,20} [0-9]{1,3} \\[(System|ERROR|Note)\\] \\[MY-[0-9]{6}\\] \\[Server\\] .{0,60}",
    ]
}

proptest! {
    #[test]
    fn no_log_panics_and_a_dead_server_is_never_ready(texts in proptest::collection::vec(pieces(), 0..12)) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let startup = after(&texts);
        let verdict = startup.verdict(false);
        let ended = matches!(verdict, Verdict::Refused(_) | Verdict::Died { .. });
        prop_assert!(ended);
        prop_assert!(!verdict.to_string().is_empty());
        prop_assert!(!startup.verdict(true).to_string().is_empty());
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let text = String::from_utf8_lossy(&bytes);
        let mut startup = Startup::new();
        let mut shutdown = crate::errorlog::Shutdown::new();
        for line in text.lines() {
            startup.feed(line);
            shutdown.feed(line);
        }
        prop_assert!(!shutdown.is_clean());
    }
}
