//! Functions that a later server no longer has.
//!
//! Source: release notes of 8.0.11, 8.4.0 and 9.6.0; statements tried on servers of each series (MYSQL.md §3.3, §5.4).

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
const V84: MysqlVersion = MysqlVersion::new(8, 4, 0);
const V96: MysqlVersion = MysqlVersion::new(9, 6, 0);

const fn gone(name: &'static str, removed: MysqlVersion, instead: &'static str) -> RemovedFunction {
    RemovedFunction {
        name,
        removed,
        instead,
    }
}

pub const REMOVED: &[RemovedFunction] = &[
    gone(
        "area",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "asbinary",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "astext",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "aswkb",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "aswkt",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "buffer",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "centroid",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "contains",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "convexhull",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "crosses",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone("decode", V8, "AES_DECRYPT()"),
    gone("des_decrypt", V8, "AES_DECRYPT()"),
    gone("des_encrypt", V8, "AES_ENCRYPT()"),
    gone(
        "dimension",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "disjoint",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "distance",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone("encode", V8, "AES_ENCRYPT()"),
    gone("encrypt", V8, "SHA2()"),
    gone(
        "endpoint",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "envelope",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "equals",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "exteriorring",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "geomcollfromtext",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "geomcollfromwkb",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "geometrycollectionfromtext",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "geometrycollectionfromwkb",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "geometryfromtext",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "geometryfromwkb",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "geometryn",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "geometrytype",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "geomfromtext",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "geomfromwkb",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone("glength", V8, "ST_LENGTH()"),
    gone(
        "interiorringn",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "intersects",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "isclosed",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "isempty",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "issimple",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "linefromtext",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "linefromwkb",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "linestringfromtext",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "linestringfromwkb",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone("md5", V96, "SHA2(…, 256)"),
    gone(
        "mlinefromtext",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "mlinefromwkb",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "mpointfromtext",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "mpointfromwkb",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "mpolyfromtext",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "mpolyfromwkb",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "multilinestringfromtext",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "multilinestringfromwkb",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "multipointfromtext",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "multipointfromwkb",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "multipolygonfromtext",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "multipolygonfromwkb",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "numgeometries",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "numinteriorrings",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "numpoints",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "overlaps",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone("password", V8, "SHA2()"),
    gone(
        "pointfromtext",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "pointfromwkb",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "pointn",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "polyfromtext",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "polyfromwkb",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "polygonfromtext",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "polygonfromwkb",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone("sha", V96, "SHA2(…, 256)"),
    gone("sha1", V96, "SHA2(…, 256)"),
    gone(
        "srid",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "startpoint",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "touches",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone(
        "wait_until_sql_thread_after_gtids",
        V84,
        "WAIT_FOR_EXECUTED_GTID_SET()",
    ),
    gone(
        "within",
        V8,
        "the function of the same name with ST_ before it",
    ),
    gone("x", V8, "the function of the same name with ST_ before it"),
    gone("y", V8, "the function of the same name with ST_ before it"),
];

/// The function of that name, whatever its letters' case.
pub fn removed(name: &str) -> Option<&'static RemovedFunction> {
    let same = |function: &&RemovedFunction| function.name.eq_ignore_ascii_case(name);
    REMOVED.iter().find(same)
}
