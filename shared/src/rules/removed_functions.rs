//! Functions that a later server no longer has.
//!
//! Source: release notes of 8.0.11 and 9.6.0; upgrades tried from 8.4 to 9.7 with objects of every kind.

use crate::version::MysqlVersion;

/// When it left the server.
#[derive(Debug, Clone, Copy)]
pub struct RemovedFunction {
    /// In small letters.
    pub name: &'static str,
    pub removed: MysqlVersion,
    /// What to call instead.
    pub instead: &'static str,
}

const V8: MysqlVersion = MysqlVersion::new(8, 0, 11);
const V96: MysqlVersion = MysqlVersion::new(9, 6, 0);

const fn gone(name: &'static str, removed: MysqlVersion, instead: &'static str) -> RemovedFunction {
    RemovedFunction {
        name,
        removed,
        instead,
    }
}

pub const REMOVED: &[RemovedFunction] = &[
    gone("decode", V8, "AES_DECRYPT()"),
    gone("des_decrypt", V8, "AES_DECRYPT()"),
    gone("des_encrypt", V8, "AES_ENCRYPT()"),
    gone("encode", V8, "AES_ENCRYPT()"),
    gone("encrypt", V8, "SHA2()"),
    gone("md5", V96, "SHA2(…, 256)"),
    gone("password", V8, "SHA2()"),
    gone("sha", V96, "SHA2(…, 256)"),
    gone("sha1", V96, "SHA2(…, 256)"),
];

/// The function of that name, whatever its letters' case.
pub fn removed(name: &str) -> Option<&'static RemovedFunction> {
    let same = |function: &&RemovedFunction| function.name.eq_ignore_ascii_case(name);
    REMOVED.iter().find(same)
}
