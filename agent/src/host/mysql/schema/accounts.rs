//! Accounts: how they log in, and what they were granted.

use super::{ANY, Ask, Query, V8};
use refit_shared::survey::Question;
use refit_shared::version::MysqlVersion;

/// Tables of schema mysql: an error, not an empty answer, where the account may not read them.
const NONE: &[&str] = &[];
const ACCOUNT: &str = "CONCAT(user, '@', host)";

pub(super) const QUERIES: &[Query] = &[
    Query {
        question: Question::OldAuthentication,
        since: ANY,
        privileges: NONE,
        ask: Ask::Objects(
            ["''", ACCOUNT, "''", "plugin"],
            "FROM mysql.user WHERE plugin IN ('mysql_native_password', 'sha256_password', 'authentication_fido') ORDER BY user, host",
        ),
    },
    Query {
        question: Question::OldAuthentication,
        // Several factors: MySQL manual, "Multifactor Authentication".
        since: MysqlVersion::new(8, 0, 27),
        privileges: NONE,
        ask: Ask::Objects(
            [
                "''",
                ACCOUNT,
                "''",
                "CONCAT_WS(',', plugin, JSON_UNQUOTE(JSON_EXTRACT(user_attributes, '$.multi_factor_authentication[0].plugin')), \
                 JSON_UNQUOTE(JSON_EXTRACT(user_attributes, '$.multi_factor_authentication[1].plugin')))",
            ],
            "FROM mysql.user WHERE plugin IN ('mysql_native_password', 'sha256_password', 'authentication_fido') \
             OR JSON_CONTAINS(COALESCE(JSON_EXTRACT(user_attributes, '$.multi_factor_authentication[*].plugin'), JSON_ARRAY()), \
             '\"authentication_fido\"') ORDER BY user, host",
        ),
    },
    Query {
        question: Question::ChannelUsers,
        since: ANY,
        privileges: NONE,
        ask: Ask::Objects(
            ["''", "channel_name", "''", "user"],
            "FROM performance_schema.replication_connection_configuration WHERE user <> '' ORDER BY channel_name",
        ),
    },
    Query {
        question: Question::RemovedPrivileges,
        since: V8,
        privileges: NONE,
        ask: Ask::Objects(
            ["''", ACCOUNT, "''", "priv"],
            "FROM mysql.global_grants WHERE priv = 'SET_USER_ID' AND user NOT IN ('mysql.session', 'mysql.sys', 'mysql.infoschema') \
             ORDER BY user, host",
        ),
    },
];
