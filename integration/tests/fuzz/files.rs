//! Files that people write: the fleet file and MySQL's option files.

use crate::{fuzz, text_of};
use proptest::collection::vec;
use proptest::prelude::*;
use refit_controller::fleet;
use refit_shared::config::{
    ConfigFiles, OptionFile, edit, judge, mask, persisted, pins, propose, read,
};
use refit_shared::version::MysqlVersion;

#[rustfmt::skip]
const FLEET: &[&str] = &[
    "[[cluster]]\n", "[cluster]\n", "name = \"orders\"\n", "name = \"shop\"\n", "name = \"\"\n", "name = 3\n", "members = [\n", "]\n", "{ ", " },\n",
    "name = \"m1\"", "name = \"m2\"", ", ", "address = \"10.0.0.1:8400\"", "address = \"[::1]:8400\"", "address = \"m1\"", "address = \"m1:99999\"",
    "members = []\n", "# note\n", "other = 1\n", "\"", "'''", "{ name = \"m3\", address = \"h:1\" },\n", "=", "\n", "é", "\u{feff}",
];

#[test]
fn a_fleet_file_is_read_or_its_mistakes_are_told() {
    fuzz("fleet file", &text_of(FLEET), |text| {
        match fleet::parse("fleet.toml", &text) {
            Ok(fleet) => prop_assert!(!fleet.clusters().is_empty()),
            Err(mistakes) => {
                prop_assert!(mistakes.to_string().contains("fleet.toml"), "{mistakes}")
            }
        }
        Ok(())
    });
}

#[rustfmt::skip]
const OPTIONS: &[&str] = &[
    "[mysqld]\n", "[client]\n", " [server] \n", "[mysqld-9.7]\n", "[", "]", "\n", "\r\n", "\r", "#", ";", " ", "\t", "=", "\"", "'", "\\", "\\s", "\0",
    "!include b.cnf\n", "!includedir /etc/d\n", "!include a.cnf\n", "!", "loose_", "loose-", "skip-", "skip_log_bin\n", "port = 3306\n", "password=\"s\"\n",
    "innodb_buffer_pool_size=1G\n", "default_authentication_plugin=mysql_native_password\n", "expire_logs_days=3\n", "sql_mode='NO_AUTO_CREATE_USER'\n",
    "binlog-format = STATEMENT # why\n", "master_info_repository=TABLE\n", "gtid_mode\n", "é", "\u{a0}", "master-password = x\n", "set-variable=a=b\n",
    "# Refit 2026-11-20, 8.4.6 to 9.7.4: its default is another: x\n", "explain_format = TRADITIONAL\n", "skip_log_bin\0", "explain_format",
];

fn files(texts: &[String]) -> ConfigFiles {
    let names = ["a.cnf", "b.cnf", "/etc/d/c.cnf"];
    let files = names.iter().zip(texts);
    ConfigFiles {
        roots: vec!["a.cnf".to_owned()],
        files: files
            .map(|(name, text)| OptionFile::new(*name, text))
            .collect(),
        ..ConfigFiles::default()
    }
}

#[test]
fn option_files_are_read_judged_and_edited_whatever_they_say() {
    let versions = ["5.7.44", "8.0.36", "8.4.8", "9.7.3", "9.7.4"]
        .map(|v| v.parse::<MysqlVersion>().expect("a version"));
    let version = || proptest::sample::select(versions.to_vec());
    let strategy = (vec(text_of(OPTIONS), 1..4), version(), version());
    fuzz("option files", &strategy, |(texts, from, to)| {
        let files = files(&texts);
        let reading = files.read();
        for setting in &reading.settings {
            let file = files
                .file(&setting.file)
                .expect("a setting is of a file that was read");
            let lines = file.text.split('\n').count();
            prop_assert!(
                (1..=lines).contains(&(setting.line as usize)),
                "{setting:?}"
            );
        }
        for text in &texts {
            let _ = read::includes(text.as_bytes());
            // Masking is done before a text leaves its host: it must not change what is where.
            prop_assert_eq!(mask::masked(text).lines().count(), text.lines().count());
            prop_assert_eq!(mask::masked(&mask::masked(text)), mask::masked(text));
        }
        let _ = judge::judge(&files, from, to);
        let today = "2026-11-28".parse().expect("a date");
        let proposal = propose::propose(&files, from, to, today);
        // What is proposed for a file can be done to it.
        let all = pins::pins(&files, to);
        let released = pins::without(&files, proposal.rewrites.clone(), &all);
        for rewrite in proposal.rewrites.iter().chain(&released) {
            let file = files.file(&rewrite.path).expect("a file that was read");
            prop_assert!(
                edit::apply(file.text.as_bytes(), &rewrite.edits).is_ok(),
                "{rewrite:?}"
            );
        }
        Ok(())
    });
}

#[test]
fn persisted_settings_are_read_or_refused() {
    let words: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"Version\"",
        "2",
        "1",
        "\"mysql_static_variables\"",
        "\"mysql_dynamic_variables\"",
        "\"Value\"",
        "\"ON\"",
        "\"Metadata\"",
        "\"Timestamp\"",
        "0",
        "\"User\"",
        "\"Host\"",
        "\"a\"",
        "null",
        "1e999",
        "\\u0000",
        "\"mysql_server_static_options\"",
    ];
    fuzz("mysqld-auto.cnf", &text_of(words), |text| {
        let _ = persisted::parse(text.as_bytes());
        Ok(())
    });
}
