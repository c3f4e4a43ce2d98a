//! Compares the ledger with the table on every member.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use serde::Serialize;

use super::ledger::Ledger;
use super::outcome::{Outcome, RowKey};
use super::server::{ServerError, Servers, gtid_executed, has_gtids, rows};

/// How many rows are named one by one in a verdict.
const NAMED: usize = 20;

/// What was found on one member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberVerdict {
    /// Its address.
    pub host: String,
    /// Rows of this run.
    pub rows: usize,
    /// Acknowledged but not there: lost.
    pub acked_missing: usize,
    /// The first of them, as `writer/seq`.
    pub acked_missing_first: Vec<String>,
    /// Refused but there all the same.
    pub failed_present: usize,
    /// The first of them, as `writer/seq`.
    pub failed_present_first: Vec<String>,
    /// Unknown, and there.
    pub unknown_present: usize,
    /// There, but not in the ledger: in flight when the writing client was killed.
    pub unrecorded: usize,
}

/// What was found altogether.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Nothing acknowledged is missing anywhere, nothing refused is anywhere, and all members have the same rows.
    pub ok: bool,
    /// Which run of the writing client.
    pub run: u64,
    /// Acknowledged inserts in the ledger.
    pub acked: usize,
    /// Refused inserts in the ledger.
    pub failed: usize,
    /// Inserts in the ledger of which nobody could tell.
    pub unknown: usize,
    /// Acknowledged rows that are missing on one member at least.
    pub lost: usize,
    /// All members have exactly the same rows.
    pub members_agree: bool,
    /// The transactions that all members have; with an origin: those of the origin.
    pub gtid_executed: String,
    /// Member by member.
    pub members: Vec<MemberVerdict>,
}

/// Why no verdict is possible.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Not every member could be asked, or they never had the same transactions.
    #[error("the members did not come to the same transactions within {limit:?}: {last}")]
    NeverEqual {
        /// How long was waited.
        limit: Duration,
        /// What was seen last.
        last: String,
    },
    /// A member could not be read.
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// Waits until all members have the same transactions, then compares. With an `origin` (one source of several) it is enough that
/// they have all of its transactions: a replica of two sources has more than either.
///
/// # Errors
/// When a member cannot be read, or the members lack transactions for longer than `limit`.
pub async fn verify(
    servers: &Servers,
    origin: Option<&str>,
    ledger: &Ledger,
    limit: Duration,
) -> Result<Verdict, VerifyError> {
    let gtid_executed = match origin {
        None => same_gtids(servers, limit).await?,
        Some(origin) => gtids_of(origin, servers, limit).await?,
    };
    let found = try_join_all(servers.hosts.iter().map(async |host| {
        let mut conn = servers.connect(host).await?;
        let found = rows(&mut conn, host, ledger.run).await?;
        Ok::<_, ServerError>((host.clone(), found.into_iter().collect()))
    }))
    .await?;
    Ok(judge(ledger, gtid_executed, &found))
}

async fn same_gtids(servers: &Servers, limit: Duration) -> Result<String, VerifyError> {
    let end = Instant::now() + limit;
    loop {
        let asked = try_join_all(servers.hosts.iter().map(async |host| {
            let mut conn = servers.connect(host).await?;
            gtid_executed(&mut conn, host).await
        }));
        let last = match asked.await {
            Ok(sets) if sets.iter().all(|set| *set == sets[0]) => return Ok(sets[0].clone()),
            Ok(sets) => format!("{:?} have {sets:?}", servers.hosts),
            Err(error) => chain(&error),
        };
        if Instant::now() > end {
            return Err(VerifyError::NeverEqual { limit, last });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The transactions of `origin`, once every member has them.
async fn gtids_of(origin: &str, servers: &Servers, limit: Duration) -> Result<String, VerifyError> {
    let end = Instant::now() + limit;
    loop {
        let asked = async {
            let wanted = gtid_executed(&mut servers.connect(origin).await?, origin).await?;
            let have = try_join_all(servers.hosts.iter().map(async |host| {
                let mut conn = servers.connect(host).await?;
                has_gtids(&mut conn, host, &wanted).await
            }))
            .await?;
            Ok::<_, ServerError>((wanted, have))
        };
        let last = match asked.await {
            Ok((wanted, have)) if have.iter().all(|has| *has) => return Ok(wanted),
            Ok((wanted, have)) => format!("{:?} have {wanted}: {have:?}", servers.hosts),
            Err(error) => chain(&error),
        };
        if Instant::now() > end {
            return Err(VerifyError::NeverEqual { limit, last });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The error and its causes, leaving out those that the error before it told already.
fn chain(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !told.contains(&text) {
            told = format!("{told}: {text}");
        }
        cause = error.source();
    }
    told
}

fn judge(ledger: &Ledger, gtid_executed: String, found: &[(String, HashSet<RowKey>)]) -> Verdict {
    let outcomes = ledger.outcomes();
    let members: Vec<_> = found
        .iter()
        .map(|(host, rows)| judge_member(&outcomes, host, rows))
        .collect();
    let on_all = |key: &RowKey| found.iter().all(|(_, rows)| rows.contains(key));
    let acked = outcomes
        .iter()
        .filter(|(_, outcome)| **outcome == Outcome::Acked);
    let lost = acked.filter(|(key, _)| !on_all(key)).count();
    let members_agree = found.windows(2).all(|pair| pair[0].1 == pair[1].1);
    Verdict {
        ok: lost == 0 && members_agree && members.iter().all(|m| m.failed_present == 0),
        run: ledger.run,
        acked: ledger.count(Outcome::Acked),
        failed: ledger.count(Outcome::Failed),
        unknown: ledger.count(Outcome::Unknown),
        lost,
        members_agree,
        gtid_executed,
        members,
    }
}

fn judge_member(
    outcomes: &HashMap<RowKey, Outcome>,
    host: &str,
    rows: &HashSet<RowKey>,
) -> MemberVerdict {
    let matching = |wanted: Outcome, present: bool| -> Vec<RowKey> {
        let all = outcomes.iter();
        all.filter(|(key, outcome)| **outcome == wanted && rows.contains(key) == present)
            .map(|(key, _)| *key)
            .collect()
    };
    let acked_missing = matching(Outcome::Acked, false);
    let failed_present = matching(Outcome::Failed, true);
    MemberVerdict {
        host: host.into(),
        rows: rows.len(),
        acked_missing: acked_missing.len(),
        acked_missing_first: first(acked_missing),
        failed_present: failed_present.len(),
        failed_present_first: first(failed_present),
        unknown_present: matching(Outcome::Unknown, true).len(),
        unrecorded: rows
            .iter()
            .filter(|key| !outcomes.contains_key(key))
            .count(),
    }
}

fn first(mut keys: Vec<RowKey>) -> Vec<String> {
    keys.sort_unstable();
    keys.truncate(NAMED);
    keys.iter()
        .map(|key| format!("{}/{}", key.writer, key.seq))
        .collect()
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            acked,
            failed,
            unknown,
            lost,
            ..
        } = self;
        let word = if self.ok { "ok" } else { "NOT OK" };
        write!(
            f,
            "{word}: {acked} acknowledged, {lost} lost, {failed} refused, {unknown} unknown, on {} members",
            self.members.len()
        )?;
        if !self.members_agree {
            write!(f, "; the members do not have the same rows")?;
        }
        for member in self
            .members
            .iter()
            .filter(|m| m.acked_missing + m.failed_present > 0)
        {
            write!(
                f,
                "; {}: {} missing {:?}, {} refused but present {:?}",
                member.host,
                member.acked_missing,
                member.acked_missing_first,
                member.failed_present,
                member.failed_present_first
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::ledger::Record;
    use super::*;

    fn key(seq: u64) -> RowKey {
        RowKey { writer: 0, seq }
    }

    fn ledger(outcomes: &[Outcome]) -> Ledger {
        let records = (1..).zip(outcomes).map(|(seq, outcome)| Record {
            key: key(seq),
            outcome: *outcome,
            at_us: seq,
            took_us: 1,
        });
        Ledger {
            run: 5,
            records: records.collect(),
            ended: true,
        }
    }

    fn judged(on_a: &[u64], on_b: &[u64]) -> Verdict {
        use Outcome::{Acked, Failed, Unknown};
        let rows = |seqs: &[u64]| seqs.iter().map(|seq| key(*seq)).collect();
        judge(
            &ledger(&[Acked, Failed, Unknown, Acked]),
            String::new(),
            &[("a".into(), rows(on_a)), ("b".into(), rows(on_b))],
        )
    }

    #[test]
    fn judges_every_kind_of_row() {
        // (rows on a, rows on b, ok, lost)
        let cases: [(&[u64], &[u64], bool, usize); 7] = [
            (&[1, 4], &[1, 4], true, 0),
            (&[1, 3, 4], &[1, 3, 4], true, 0), // the unknown one was committed
            (&[1, 4, 9], &[1, 4, 9], true, 0), // in flight when the client died
            (&[1, 4], &[1], false, 1),
            (&[4], &[1], false, 2),
            (&[1, 2, 4], &[1, 2, 4], false, 0), // refused, but there
            (&[1, 3, 4], &[1, 4], false, 0),    // the members differ
        ];
        for (on_a, on_b, ok, lost) in cases {
            let verdict = judged(on_a, on_b);
            assert_eq!(
                (verdict.ok, verdict.lost),
                (ok, lost),
                "{on_a:?} {on_b:?}: {verdict}"
            );
        }
        assert_eq!(judged(&[1, 4, 9], &[1, 4, 9]).members[0].unrecorded, 1);
        assert_eq!(judged(&[4], &[4]).members[1].acked_missing_first, ["0/1"]);
        assert!(judged(&[4], &[4]).to_string().contains("1 lost"));
    }
}
