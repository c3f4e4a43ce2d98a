//! What checks need to know beyond an observation: the schema, the accounts, the option files, the machine. Too costly for a gate, which looks
//! several times a second, so it is asked for only when somebody checks or plans.
//!
//! ```text
//! checks that apply ──needs──> questions ──(one by one, each with a time limit)──> agent: one bounded, read-only query each
//!                                                                                    │
//! findings <──judge── Survey: a listing a question, or the reason why there is none <┘
//! ```
//!
//! A question never scans user data and takes no lock ([`Question::CheckedTables`] may; it is asked only when a person says so): it reads `information_schema`, `performance_schema` or `mysql`, and the
//! machine's own files. Its answer holds at most [`MOST_ROWS`] objects and the full count.

use crate::config::ConfigFiles;
use crate::config::edit::Rewrite;
use crate::ids::MemberName;
use crate::observation::{Fact, PackagePin};
use crate::table::{TableFacts, TableName};
use crate::version::MysqlVersion;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// Objects that one answer names; more are only counted.
pub const MOST_ROWS: usize = 100;

/// How long the target's mysqld may be fetched, unpacked and asked for its judgement, all in all.
pub const JUDGING: Duration = Duration::from_secs(150);

/// Option files as they would be, and whose mysqld is to judge them: asked when all else is known, since the edits follow from the
/// files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub version: MysqlVersion,
    pub packages: Vec<PackagePin>,
    /// The edits that a plan would make.
    pub files: Vec<Rewrite>,
}

/// Where a server would be connected to by another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// A name or an address, as the server would be given it.
    pub host: String,
    pub port: u16,
    pub speaks: Speaks,
}

/// Who listens there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Speaks {
    /// mysqld, to clients.
    Mysql,
    /// Group Replication, by its own protocol.
    Xcom,
}

/// Why an address was not reached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unreached {
    /// The host is there, and nobody listens.
    pub refused: bool,
    pub why: String,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Addresses that one agent tries; more are told as not tried.
pub const MOST_ADDRESSES: usize = 64;

/// What a mysqld says of option files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    pub accepted: bool,
    /// Its errors, secrets masked.
    pub errors: Vec<String>,
    /// What becomes of the library files that the server loads ([`Question::LoadedLibraries`]), by path.
    pub libraries: Fact<BTreeMap<String, Fate>>,
}

/// What becomes of a library file of the present server when the packages are swapped. dpkg removes what its package no longer has, and
/// leaves alone what is no package's or another's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// The target's packages bring it.
    Shipped,
    /// It goes: a package that is swapped has it now, and not of the target.
    Goes { package: String },
    /// It stays as it is, of another package or of none.
    Stays { package: Option<String> },
    /// There is no such file now either.
    Absent,
}

impl Judged {
    pub fn in_words(&self) -> String {
        if self.errors.is_empty() {
            "it did not say why".to_owned()
        } else {
            self.errors.join("; ")
        }
    }
}

macro_rules! questions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $seconds:literal;)*) => {
        /// What an agent can be asked.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Question { $($(#[$doc])* $variant),* }
        impl Question {
            pub const ALL: &'static [Question] = &[$(Self::$variant),*];
            /// Stable: it is what travels.
            pub fn as_str(self) -> &'static str { match self { $(Self::$variant => $name),* } }
            /// How long the answer may take. It bounds the query on the server, too.
            pub fn limit(self) -> Duration { match self { $(Self::$variant => Duration::from_secs($seconds)),* } }
        }
    };
}

questions! {
    /// Schemas, tables, views, routines, triggers and events whose name some version reserves. `detail`: what it is.
    KeywordNames = "keyword_names", 5;
    /// Columns with such a name.
    KeywordColumns = "keyword_columns", 5;
    /// Stored code that uses such a word as a bare name. `detail`: `procedure: rank,over`.
    KeywordsInCode = "keywords_in_code", 5;
    /// Generated columns that call a function that some version removed. `detail`: `VIRTUAL md5` or `STORED md5`.
    FunctionsInGeneratedColumns = "functions_in_generated_columns", 5;
    /// Functional indexes that do. `part`: the index; `detail`: the functions.
    FunctionsInIndexes = "functions_in_indexes", 5;
    /// Default expressions that do.
    FunctionsInDefaults = "functions_in_defaults", 5;
    /// CHECK constraints that do. `part`: the constraint.
    FunctionsInChecks = "functions_in_checks", 5;
    FunctionsInViews = "functions_in_views", 5;
    /// Routines, triggers and events that do. `detail`: `procedure: md5`.
    FunctionsInCode = "functions_in_code", 5;
    /// Accounts with an authentication method that was deprecated or removed. `name`: user@host; `detail`: the plugin, or the
    /// plugins of several factors, with commas between.
    OldAuthentication = "old_authentication", 5;
    /// Who a channel connects as. `name`: the channel; `detail`: the user.
    ChannelUsers = "channel_users", 5;
    /// Grants of privileges that were removed. `name`: user@host; `detail`: the privilege.
    RemovedPrivileges = "removed_privileges", 5;
    /// AUTO_INCREMENT columns of type FLOAT or DOUBLE. `detail`: the type.
    FloatAutoIncrement = "float_auto_increment", 5;
    /// Tables partitioned by KEY over a column of which an index takes a prefix.
    PrefixPartitionKeys = "prefix_partition_keys", 5;
    /// Foreign keys whose parent columns are not exactly a unique key. `name`: the child table; `part`: the constraint;
    /// `detail`: the parent, as `schema.table(columns)`.
    ForeignKeysWithoutUnique = "foreign_keys_without_unique", 5;
    /// SPATIAL indexes of InnoDB tables. `part`: the index; `detail`: the column.
    SpatialIndexes = "spatial_indexes", 5;
    /// Schemas whose default character set is utf8mb3.
    Utf8mb3Schemas = "utf8mb3_schemas", 5;
    Utf8mb3Columns = "utf8mb3_columns", 5;
    /// Names that begin with a dollar sign.
    DollarNames = "dollar_names", 5;
    /// Partition bounds with a date whose delimiters are not the standard's. `part`: the partition; `detail`: the bound.
    PartitionDates = "partition_dates", 5;
    /// Indexed generated columns that call CAST or CONVERT.
    CastsInGeneratedColumns = "casts_in_generated_columns", 5;
    /// Tables in no file of their own although they are partitioned. `part`: the partition.
    SharedPartitions = "shared_partitions", 5;
    /// Data files whose path holds `/../`.
    CircularPaths = "circular_paths", 5;
    /// Columns whose default is a zero date.
    ZeroDateDefaults = "zero_date_defaults", 5;
    /// Tables with neither a primary key nor a unique key without NULLs.
    NoPrimaryKey = "no_primary_key", 5;
    /// Those of them with a FULLTEXT index.
    NoPrimaryKeyFulltext = "no_primary_key_fulltext", 5;
    /// Tables of another engine than InnoDB. `detail`: the engine.
    OtherEngines = "other_engines", 5;
    /// InnoDB tables that are REDUNDANT, COMPACT or COMPRESSED. `detail`: which.
    RowFormats = "row_formats", 5;
    /// Tables with row versions from ALTER TABLE … ALGORITHM=INSTANT. `detail`: how many.
    RowVersions = "row_versions", 5;
    /// A number: the InnoDB tablespaces.
    Tablespaces = "tablespaces", 5;
    /// Tablespaces that are neither normal nor active. `detail`: the state.
    OddTablespaces = "odd_tablespaces", 5;
    /// A number: views and routines.
    ViewsAndRoutines = "views_and_routines", 5;
    /// A number: undo records that wait for the purge.
    HistoryLength = "history_length", 5;
    /// Group Replication's own actions that are running. `detail`: the stage.
    GroupActions = "group_actions", 5;
    /// Events that are enabled.
    EnabledEvents = "enabled_events", 5;
    /// Stored code with replication statements that 8.4 does not have. `detail`: `procedure: show slave,reset master`.
    OldStatements = "old_statements", 5;
    /// Stored code with GROUP BY … ASC or DESC. `detail`: `procedure: asc`.
    GroupByOrder = "group_by_order", 5;
    /// Stored code with a name that begins with a dot. `detail`: what it is.
    EmptyDotNames = "empty_dot_names", 5;
    /// Routines and events whose schema does not exist. `detail`: `procedure`, `function` or `event`.
    OrphanedObjects = "orphaned_objects", 5;
    /// Stored code with flags in its sql_mode that 8.0 does not have. `part`: what it is; `detail`: the whole sql_mode.
    SqlModes = "sql_modes", 5;
    /// Columns in the temporal format of 5.5. `detail`: the type.
    OldTemporals = "old_temporals", 5;
    /// Geometry columns in the format of 5.6.
    OldGeometries = "old_geometries", 5;
    /// BLOB, TEXT, JSON and geometry columns with a literal default. `detail`: the type.
    ImpossibleDefaults = "impossible_defaults", 5;
    /// ENUM and SET columns with elements that are too long. `detail`: the longest, in characters.
    LongElements = "long_elements", 5;
    /// Indexes of REDUNDANT and COMPACT tables with more than 767 bytes of a column. `part`: the index; `detail`: the bytes.
    LargeIndexes = "large_indexes", 5;
    /// Partitioned tables of another engine than InnoDB. `detail`: the engine.
    OtherPartitions = "other_partitions", 5;
    /// Foreign keys with too long names. `detail`: the table.
    LongForeignKeys = "long_foreign_keys", 5;
    /// Foreign keys to a table of another engine, or to none. `part`: the constraint; `detail`: what the parent is.
    ForeignKeyEngines = "foreign_key_engines", 5;
    /// Tables that InnoDB has and the server has not.
    OrphanedTables = "orphaned_tables", 5;
    /// Tables that InnoDB has and that the server takes for others. `detail`: the engine.
    EngineMixups = "engine_mixups", 5;
    /// Tables in schema mysql that have the name of a dictionary table.
    DictionaryNames = "dictionary_names", 5;
    /// Tables with FTS in their names.
    FtsNames = "fts_names", 5;
    /// Schemas and tables whose names could not be decoded.
    UndecodedNames = "undecoded_names", 5;
    /// Tablespaces that are encrypted.
    EncryptedTablespaces = "encrypted_tablespaces", 5;
    /// A row when the server's certificate is valid for less than 30 days. `detail`: when it ends.
    CertificateEnds = "certificate_ends", 5;
    /// Limits that the unit of mysqld has. `name`: systemd's property; `detail`: its value.
    ServiceLimits = "service_limits", 5;
    /// Libraries that the server loads. `schema`: the plugin directory; `name`: the plugin, component or functions; `part`: the file;
    /// `detail`: `plugin AUTHENTICATION` (its type; none: it is not loaded now), `component`, `keyring component`, `function`.
    LoadedLibraries = "loaded_libraries", 5;
    /// A number: files that mysqld may have open.
    OpenFiles = "open_files", 5;
    /// The option files and `mysqld-auto.cnf`; they come in [`Survey::config`], and the number is how many there are.
    OptionFiles = "option_files", 5;
    /// Variables whose default some version changes and that were set at runtime. `detail`: the value.
    SetAtRuntime = "set_at_runtime", 5;
    /// A number: bytes of memory that are available.
    MemoryAvailable = "memory_available", 5;
    /// A row when the clock is not kept by a time service. `detail`: what was seen.
    ClockNotSynchronised = "clock_not_synchronised", 5;
    /// What may restart mysqld or replace its packages by itself. `name`: the program; `detail`: how it is set.
    AutomaticRestarts = "automatic_restarts", 5;
    /// A mandatory access control that confines mysqld. `name`: AppArmor or SELinux; `detail`: the mode.
    Confinement = "confinement", 5;
    /// What CHECK TABLE … FOR UPGRADE says of tables that are not well: `part` is the message's type, `detail` the message. One
    /// row without a name tells how many were checked and left out. The last one, since it takes longest.
    CheckedTables = "checked_tables", 25;
}

impl Question {
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|question| question.as_str() == text)
    }

    /// It is about the machine, not the server.
    pub fn of_the_machine(self) -> bool {
        matches!(
            self,
            Self::MemoryAvailable
                | Self::ClockNotSynchronised
                | Self::AutomaticRestarts
                | Self::Confinement
                | Self::ServiceLimits
        )
    }

    /// It opens users' tables.
    pub fn of_the_tables(self) -> bool {
        self == Self::CheckedTables
    }

    /// It is about files that configure the server.
    pub fn of_the_files(self) -> bool {
        self == Self::OptionFiles
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One object. What each part holds is the question's to say; parts that it does not mention are empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Row {
    pub schema: String,
    pub name: String,
    pub part: String,
    pub detail: String,
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// All that there are, named or not. Of a question about a number: the number.
    pub total: u64,
    /// At most [`MOST_ROWS`].
    pub rows: Vec<Row>,
}

/// One member's answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    pub answers: BTreeMap<Question, Fact<Listing>>,
    /// Beside the answer to [`Question::OptionFiles`].
    pub config: Option<ConfigFiles>,
    /// The tables that were asked about by name. `None`: none were, or by an agent that does not know of such questions.
    pub tables: Option<Fact<BTreeMap<TableName, TableFacts>>>,
    /// What the target's mysqld says of a [`Candidate`]. `None`: it was not asked, or by an agent that does not know of such questions.
    pub judged: Option<Fact<Judged>>,
    /// Of the addresses that the agent was told to try, those that it did not reach. `None`: as above.
    pub unreached: Option<Fact<BTreeMap<Address, Unreached>>>,
}

/// The answers of a cluster's members.
pub type Surveys = BTreeMap<MemberName, Fact<Survey>>;

impl Survey {
    /// A server and a machine of which nothing is to be said: for simulated hosts and tests.
    pub fn unremarkable(questions: impl IntoIterator<Item = Question>) -> Self {
        let answer = |question| {
            let total = match question {
                Question::OpenFiles => 1_048_576,
                Question::MemoryAvailable => 64 << 30,
                _ => 0,
            };
            let listing = Listing {
                total,
                rows: Vec::new(),
            };
            (question, Fact::Known(listing))
        };
        let answers: BTreeMap<_, _> = questions.into_iter().map(answer).collect();
        Self {
            config: answers
                .contains_key(&Question::OptionFiles)
                .then(ConfigFiles::default),
            answers,
            tables: None,
            judged: None,
            unreached: Some(Fact::Known(BTreeMap::new())),
        }
    }

    /// No question may be left out: what was not answered has a reason.
    pub fn answer(&self, question: Question) -> Result<&Listing, &str> {
        self.answers
            .get(&question)
            .map_or(Err("it was not asked for"), Fact::require)
    }

    /// What the server says of a table.
    pub fn table(&self, name: &TableName) -> Result<&TableFacts, &str> {
        let tables = self.tables.as_ref();
        let tables = tables.ok_or("its agent does not tell about tables: upgrade refit-agent")?;
        let told = tables.require()?.get(name);
        told.ok_or("its agent has not told about it")
    }

    /// What the target's mysqld says of the option files as they would be.
    pub fn judged(&self) -> Result<&Judged, &str> {
        let judged = self.judged.as_ref();
        judged
            .ok_or("its agent does not have option files judged: upgrade refit-agent")?
            .require()
    }

    /// The addresses that were tried and not reached.
    pub fn unreached(&self) -> Result<&BTreeMap<Address, Unreached>, &str> {
        let unreached = self.unreached.as_ref();
        unreached
            .ok_or("its agent does not try addresses: upgrade refit-agent")?
            .require()
    }

    /// The option files, with what is known of variables that were set at runtime.
    pub fn config(&self) -> Result<ConfigFiles, &str> {
        self.answer(Question::OptionFiles)?;
        let mut config = self.config.clone().ok_or("the agent did not send them")?;
        let at_runtime = self.answer(Question::SetAtRuntime)?;
        for row in &at_runtime.rows {
            config
                .at_runtime
                .insert(row.name.clone(), row.detail.clone());
        }
        Ok(config)
    }
}

/// Everything that there is to ask.
pub fn everything() -> BTreeSet<Question> {
    Question::ALL.iter().copied().collect()
}

impl Row {
    /// `schema.name.part`, as far as there is something.
    pub fn object(&self) -> String {
        let parts = [&self.schema, &self.name, &self.part];
        let parts: Vec<&str> = parts
            .into_iter()
            .map(String::as_str)
            .filter(|part| !part.is_empty())
            .collect();
        parts.join(".")
    }

    /// `` `schema`.`name` ``, to be typed.
    pub fn quoted(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.name))
    }
}

/// An identifier in backticks.
pub fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_come_back() {
        let names: BTreeSet<_> = Question::ALL.iter().map(|q| q.as_str()).collect();
        assert_eq!(names.len(), Question::ALL.len());
        for question in Question::ALL {
            assert_eq!(Question::parse(question.as_str()), Some(*question));
        }
        assert_eq!(Question::parse("no_such"), None);
    }

    #[test]
    fn an_object_is_named_as_far_as_it_goes_and_typed_in_quotes() {
        let row = Row {
            schema: "shop".to_owned(),
            name: "or`der".to_owned(),
            ..Row::default()
        };
        assert_eq!(row.object(), "shop.or`der");
        assert_eq!(row.quoted(), "`shop`.`or``der`");
    }

    #[test]
    fn what_was_not_asked_has_no_answer() {
        let survey = Survey::unremarkable([Question::OpenFiles]);
        assert!(survey.answer(Question::OpenFiles).is_ok());
        assert!(survey.answer(Question::RowFormats).is_err());
    }
}
