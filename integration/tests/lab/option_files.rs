use crate::play::lab;
use refit_integration::stage::Lab;
use refit_shared::config::judge::{Found, judge};
use refit_shared::config::names::is_server_group;
use refit_shared::config::{ConfigFiles, OptionFile};
use refit_shared::rules::variables::removed::REMOVED;
use refit_shared::rules::variables::runtime::{RUNTIME, Runtime};
use refit_shared::version::MysqlVersion;

/// Where the files are on the host; `{dir}` in them stands for their own place.
const PLACE: &str = "/root/corpus";
const HOST: &str = "db1";

/// A case: its name, and its files; `my.cnf` is where mysqld begins.
type Case = (&'static str, &'static [(&'static str, &'static [u8])]);

/// Option files as they are found on old hosts, and as nobody should write them.
const CORPUS: &[Case] = &[
    ("plain", &[("my.cnf", b"[client]\nport=1\n[mysqld]\nport = 3306\nmax-connections=5\n[mysqldump]\nquick\n")]),
    ("windows", &[("my.cnf", b"[mysqld]\r\nport=3306\r\nsocket = /tmp/a b.sock \r\n")]),
    ("no-end", &[("my.cnf", b"[mysqld]\nport=3306")]),
    ("empty", &[("my.cnf", b"")]),
    ("only-comments", &[("my.cnf", b"# a\n; b\n\n   # c\n")]),
    ("comments", &[("my.cnf", b"[mysqld] # group\na = 1 # one\nb=\"x # y\" # z\nc = 'it''s' # q\nd=#\ne = \\#\n;f\n # g\n")]),
    ("quotes", &[("my.cnf", b"[mysqld]\na=\"\"\nb=''\nc=\"\nd='x\ne=\"a' # b\nf = \"x\\\" # y\"\ng=\"\\\\\" # z\nh='a' b 'c'\n\"i\"=1\n")]),
    ("escapes", &[("my.cnf", b"[mysqld]\na=x\\ty\\sz\nb=\\\\server\\share\nc=\\q\\\"\\'\nd=\\\ne=a\\\\nb\n")]),
    ("blanks", &[("my.cnf", b"  [mysqld]  \n\tport\t=\t1\t\n   skip-name-resolve   \na  =  b  c  \n=nameless\np == q\nr=\n")]),
    ("groups", &[("my.cnf", b"[mysqld]\na=1\n[MySQLd]\nb=2\n[mysqld-9.7]\nc=3\n[mysqld-8.4]\nd=4\n[server]\ne=5\n[ mysqld]\nf=6\n[mysqld ]\ng=7\n[mysqld_safe]\nh=8\n[mysqld]\ni=9\n")]),
    ("dashes", &[("my.cnf", b"[mysqld]\nloose-group_replication-start-on-boot=OFF\nloose_skip-x\nSkip-Name-Resolve\n--port=1\n-P=2\n")]),
    ("bytes", &[("my.cnf", b"[mysqld]\na=\xe4\xf6\nb=\xc3\xa4\n")]),
    ("nul", &[("my.cnf", b"[mysqld]\na=1\nb\0=2\nc=3\n")]),
    ("long", &[("my.cnf", b"[mysqld]\ninit_connect=\"SET NAMES utf8mb4; SET @a='0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789'\"\n")]),
    ("include", &[
        ("my.cnf", b"!includedir {dir}/conf.d\n[mysqld]\na=1\n!include {dir}/extra.cnf\nb=1\n"),
        ("extra.cnf", b"[server]\nextra=1\n"),
        ("conf.d/b.cnf", b"[mysqld]\nb=2\n"),
        ("conf.d/B.cnf", b"[mysqld]\nupper=1\n"),
        ("conf.d/a.b.cnf", b"[mysqld]\nab=1\n"),
        ("conf.d/c.cnf.dpkg-dist", b"[mysqld]\nold=1\n"),
        ("conf.d/d.ini", b"[mysqld]\nini=1\n"),
        ("conf.d/.hidden.cnf", b"[mysqld]\nhidden=1\n"),
    ]),
    ("include-nested", &[
        ("my.cnf", b"[mysqld]\na=1\n  !include   {dir}/one.cnf  \nb=1\n"),
        ("one.cnf", b"!include {dir}/two.cnf\n[mysqld]\none=1\n"),
        ("two.cnf", b"[mysqld]\ntwo=1\n"),
    ]),
    ("include-circle", &[("my.cnf", b"!include {dir}/my.cnf\n[mysqld]\na=1\n")]),
    ("include-missing", &[("my.cnf", b"[mysqld]\na=1\n!include {dir}/none.cnf\nb=1\n")]),
    ("directives", &[("my.cnf", b"[mysqld]\n!foo bar\n!includefoo {dir}/x\na=1\n")]),
    ("fatal-no-group", &[("my.cnf", b"a=1\n[mysqld]\nb=1\n")]),
    ("fatal-bracket", &[("my.cnf", b"[mysqld]\na=1\n[oops\nb=1\n")]),
    ("fatal-include", &[("my.cnf", b"[mysqld]\n!include\na=1\n")]),
    ("fatal-bom", &[("my.cnf", b"\xef\xbb\xbf[mysqld]\na=1\n")]),
];

fn bytes(case: &str, content: &[u8]) -> Vec<u8> {
    // Placeholders only stand in files that are text.
    match std::str::from_utf8(content) {
        Ok(text) => text
            .replace("{dir}", &format!("{PLACE}/{case}"))
            .into_bytes(),
        Err(_) => content.to_owned(),
    }
}

fn config(case: &str, files: &[(&str, &[u8])]) -> ConfigFiles {
    let file = |(name, content): &(&str, &[u8])| {
        let text = String::from_utf8_lossy(&bytes(case, content)).into_owned();
        OptionFile::new(format!("{PLACE}/{case}/{name}"), text)
    };
    ConfigFiles {
        roots: vec![format!("{PLACE}/{case}/my.cnf")],
        files: files.iter().map(file).collect(),
        ..ConfigFiles::default()
    }
}

/// What the real program would print of what our reader has read; `None`: it must fail.
fn expected(config: &ConfigFiles, version: MysqlVersion) -> Option<String> {
    let reading = config.read();
    if reading.problems.iter().any(|problem| problem.fatal) {
        return None;
    }
    let own = reading
        .settings
        .iter()
        .filter(|s| is_server_group(&s.group, version));
    let line = own.map(|s| match &s.value {
        Some(value) => format!("--{}={value}\n", s.name),
        None => format!("--{}\n", s.name),
    });
    Some(line.collect())
}

/// The option-file reader and the programs of MySQL themselves agree on every file of the corpus.
#[test]
fn option_files_are_read_as_mysqld_reads_them() {
    let lab = lab();
    lab.raise(&["1", "--version", "newest"]).unwrap();
    let package = lab.version("newest").unwrap();
    let version = MysqlVersion::parse_prefix(&package).unwrap();
    let corpus = tempfile::tempdir().unwrap();
    for (case, files) in CORPUS {
        for (name, content) in *files {
            let path = corpus.path().join(case).join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes(case, content)).unwrap();
        }
    }
    lab.put(HOST, corpus.path(), PLACE).unwrap();

    let groups = [
        "mysqld".to_owned(),
        "server".to_owned(),
        format!("mysqld-{}", version.series()),
    ];
    let mut differ = Vec::new();
    for (case, files) in CORPUS {
        let root = format!("--defaults-file={PLACE}/{case}/my.cnf");
        let mut argv = vec!["my_print_defaults", &root];
        argv.extend(groups.iter().map(String::as_str));
        let said = lab.exec(HOST, &argv).unwrap();
        let printed = (said.code == 0).then_some(said.stdout);
        let ours = expected(&config(case, files), version);
        if printed != ours {
            differ.push(format!(
                "{case}: it says {printed:?} ({}), we {ours:?}",
                said.stderr.trim()
            ));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));

    values_of_variables_agree(&lab, version);
    verdicts_agree(&lab, version);
    runtime_agrees(&lab);
    lab.down().unwrap();
}

/// Lines that look as if they might be refused, and are not (MYSQL.md §5.6), and values that are.
const LINES: &[&str] = &[
    "max_connections=5",
    "loose_query_cache_size=0",
    "log_slave_updates=ON",
    "slave_parallel_workers=4",
    "replica_parallel_workers=0",
    "explicit_defaults_for_timestamp=OFF",
    "binlog_format=STATEMENT",
    "skip-name-resolve",
    "tls_version=TLSv1.2,TLSv1.3",
    "tls_version=TLSv1.1,TLSv1.2",
    "sql_mode=STRICT_ALL_TABLES",
    "sql_mode=NO_AUTO_CREATE_USER",
];

/// `mysqld --validate-config` refuses just those lines that our judge calls fatal: every option that our table says is gone, and
/// some that are not.
fn verdicts_agree(lab: &Lab, version: MysqlVersion) {
    let gone = REMOVED
        .iter()
        .filter(|removed| removed.since <= version)
        .map(|removed| format!("{}=1", removed.name));
    let lines: Vec<String> = gone
        .chain(LINES.iter().map(|line| (*line).to_owned()))
        .collect();
    assert!(lines.len() > LINES.len());
    let directory = tempfile::tempdir().unwrap();
    let text = |line: &str| format!("[mysqld]\n{line}\n");
    for (number, line) in lines.iter().enumerate() {
        std::fs::write(directory.path().join(format!("{number}.cnf")), text(line)).unwrap();
    }
    lab.put(HOST, directory.path(), "/root/lines").unwrap();
    // For mysqld's own user.
    let open = lab.exec(
        HOST,
        &["chmod", "--recursive", "a+rX", "/root", "/root/lines"],
    );
    open.unwrap().ok("chmod").unwrap();
    let mut differ = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let path = format!("/root/lines/{number}.cnf");
        let defaults = format!("--defaults-file={path}");
        let argv = [
            "timeout",
            "20",
            "mysqld",
            &defaults,
            "--user=mysql",
            "--validate-config",
        ];
        let said = lab.exec(HOST, &argv).unwrap();
        let files = ConfigFiles {
            roots: vec![path.clone()],
            files: vec![OptionFile::new(path, text(line))],
            ..ConfigFiles::default()
        };
        let found = judge(&files, MysqlVersion::new(5, 7, 44), version);
        let fatal = found.iter().any(|found| match found {
            Found::Removed { loose, .. } => !loose,
            Found::Forbidden { .. } => true,
            _ => false,
        });
        if fatal == (said.code == 0) {
            differ.push(format!(
                "{line}: mysqld ends with {} ({}), we say fatal: {fatal}",
                said.code,
                said.stderr.trim()
            ));
        }
    }
    println!(
        "  mysqld --validate-config and the judge agree on {} of {} lines",
        lines.len() - differ.len(),
        lines.len()
    );
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// `mysqld --verbose --help` says which setting wins in the end, whatever name and modifier it was written with.
fn values_of_variables_agree(lab: &Lab, version: MysqlVersion) {
    const TEXT: &str = "[mysqld]\nmax_connections=11\nmax-connections = 12 # later wins\nskip-name-resolve\nloose-wait_timeout=77\n\
        [mysqld-8.4]\nmax_connections=99\n[mysqld]\nlog_slave_updates=OFF\ndisable-event-scheduler\nloose_no_such=1\n[client]\nport=1\n";
    let local = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(local.path(), TEXT).unwrap();
    lab.put(HOST, local.path(), "/root/values.cnf").unwrap();
    let argv = [
        "mysqld",
        "--defaults-file=/root/values.cnf",
        "--user=root",
        "--verbose",
        "--help",
    ];
    let said = lab.exec(HOST, &argv).unwrap().ok("mysqld --help").unwrap();
    let value = |name: &str| {
        let row = said.lines().find_map(|line| {
            let (key, value) = line.split_once(' ')?;
            (key == name).then(|| value.trim().to_owned())
        });
        row.unwrap_or_else(|| panic!("{name} is not in what mysqld says"))
    };
    let files = ConfigFiles {
        roots: vec!["/root/values.cnf".to_owned()],
        files: vec![OptionFile::new("/root/values.cnf", TEXT)],
        ..ConfigFiles::default()
    };
    let settings = refit_shared::config::judge::Settings::of(&files, version);
    for (variable, shown, line) in [
        ("max_connections", "max-connections", 3),
        ("wait_timeout", "wait-timeout", 5),
        ("log_replica_updates", "log-replica-updates", 9),
    ] {
        let setting = settings.last(variable).unwrap();
        assert_eq!(setting.line, line, "{variable}");
        let ours = setting.value.as_deref().unwrap();
        let ours = if ours == "OFF" { "FALSE" } else { ours };
        assert_eq!(value(shown), ours, "{variable}");
    }
    assert_eq!(value("skip-name-resolve"), "TRUE");
    assert_eq!(settings.last("skip_name_resolve").unwrap().line, 4);
    assert_eq!(value("event-scheduler"), "OFF");
    assert_eq!(settings.last("event_scheduler").unwrap().line, 10);
}

/// `SET GLOBAL name = DEFAULT` on a real server: refused as read-only (error 1238) just where our table says that a restart is needed.
fn runtime_agrees(lab: &Lab) {
    lab.call(["standalone", HOST])
        .unwrap()
        .ok("standalone")
        .unwrap();
    let plugin = "INSTALL PLUGIN group_replication SONAME 'group_replication.so'";
    lab.sql(HOST, plugin).unwrap();
    let known = "SELECT variable_name FROM performance_schema.global_variables";
    let known = lab.sql(HOST, known).unwrap();
    let known: Vec<&str> = known.lines().collect();
    let mut differ = Vec::new();
    let mut asked = 0;
    for (name, runtime) in RUNTIME.iter().filter(|(name, _)| known.contains(name)) {
        asked += 1;
        let statement = format!("SET GLOBAL {name} = DEFAULT");
        let argv = ["mysql", "--batch", "--execute", &statement];
        let said = lab.exec(HOST, &argv).unwrap();
        let read_only = said.stderr.contains("ERROR 1238");
        if read_only != (*runtime == Runtime::Restart) {
            let said = said.stderr.trim();
            differ.push(format!("{name}: the server says {said:?}, we {runtime:?}"));
        }
    }
    println!(
        "  of {} variables {asked} are known to the server; {} differ",
        RUNTIME.len(),
        differ.len()
    );
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    assert!(
        asked * 10 > RUNTIME.len() * 8,
        "{asked} of {}",
        RUNTIME.len()
    );
}
