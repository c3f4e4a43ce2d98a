//! Whether the cluster takes writes, measured from the agents' beats.
//!
//! A gap begins with the last beat of a member that was ONLINE and writable, and ends with the next one: it is an upper bound,
//! no finer than the time between beats. It is counted only once some member has said that it can't be written to and none
//! that it can: agents that can't be asked are no gap, they are "not known". A primary that hands its role over may be too busy
//! to beat meanwhile: when another member becomes writable and the former one is not heard to be writable again, the gap is
//! what lay between their beats.

use crate::rollouts::Writes;
use refit_shared::ids::MemberName;
use refit_shared::observation::{Beat, MemberState};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// A beat that is older says nothing about now.
const FRESH: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Last {
    heard: Instant,
    writable: bool,
    executed: u64,
}

/// Beats of all members of one cluster, and what follows from them.
#[derive(Debug, Default)]
pub(super) struct WriteMeter {
    /// The cluster is no group: a server is writable or it is not. Of a group only ONLINE members count.
    no_group: bool,
    members: BTreeMap<MemberName, Last>,
    /// When writes were possible last.
    writable_at: Option<Instant>,
    /// When a new transaction was seen last on a writable member.
    advanced_at: Option<Instant>,
    /// A gap is open: it has been seen that nobody can be written to.
    open: bool,
    /// Somebody has become writable; whether the one before still is, is not known yet.
    taken_over: Option<TakenOver>,
    largest: Duration,
}

#[derive(Debug)]
struct TakenOver {
    from: MemberName,
    gap: Duration,
}

impl WriteMeter {
    pub(super) fn with_largest(largest_gap_ms: u64, in_group: bool) -> Self {
        Self {
            no_group: !in_group,
            largest: Duration::from_millis(largest_gap_ms),
            ..Self::default()
        }
    }

    /// Takes a beat. Returns the gap that it ends, or how long the gap has been; zero when there is none, `None` when nobody
    /// has ever been writable.
    pub(super) fn hear(&mut self, beat: Beat, now: Instant) -> Option<Duration> {
        let online = self.no_group || beat.state.known() == Some(&MemberState::Online);
        let last = Last {
            heard: now,
            writable: online && beat.writable,
            executed: beat.transactions_executed,
        };
        let (writable, executed) = (last.writable, last.executed);
        let handed_over = self.handed_over(&beat.member, writable, now);
        let before = self.members.insert(beat.member, last);
        if writable && before.is_none_or(|before| executed != before.executed) {
            self.advanced_at = Some(now);
        }
        let gap = if self.writable_members(now) > 0 {
            let ended = self.open.then(|| self.since_writable(now)).flatten();
            self.open = false;
            self.writable_at = Some(now);
            Some(ended.unwrap_or_default().max(handed_over))
        } else {
            self.open = true;
            self.since_writable(now)
        };
        self.largest = self.largest.max(gap.unwrap_or_default());
        gap
    }

    /// The gap of a hand-over in which nobody was heard to be without the role, once it is sure that there was one; else zero.
    /// Asked before the beat is taken in.
    fn handed_over(&mut self, member: &MemberName, writable: bool, now: Instant) -> Duration {
        let silent = |from: &MemberName| {
            self.members
                .get(from)
                .is_none_or(|last| now.saturating_duration_since(last.heard) > FRESH)
        };
        let sure = match &self.taken_over {
            Some(taken) if taken.from == *member => Some(!writable),
            Some(taken) if silent(&taken.from) => Some(true),
            Some(_) | None => None,
        };
        let ended = match sure {
            Some(sure) => self.taken_over.take().filter(|_| sure),
            None => None,
        };
        let becomes = writable && self.members.get(member).is_some_and(|was| !was.writable);
        if becomes && !self.open {
            let mut writers = self.members.iter().filter(|(_, last)| last.writable);
            // With several writers a further one takes nothing over.
            if let (Some((from, last)), None) = (writers.next(), writers.next()) {
                self.taken_over = Some(TakenOver {
                    from: from.clone(),
                    gap: now.saturating_duration_since(last.heard),
                });
            }
        }
        ended.map_or(Duration::ZERO, |taken| taken.gap)
    }

    /// A pause between two rollouts' runs is no gap: what was heard before it says nothing.
    pub(super) fn forget(&mut self) {
        *self = Self {
            no_group: self.no_group,
            largest: self.largest,
            ..Self::default()
        };
    }

    fn fresh(&self, now: Instant) -> impl Iterator<Item = &Last> {
        self.members
            .values()
            .filter(move |last| now.saturating_duration_since(last.heard) <= FRESH)
    }

    fn writable_members(&self, now: Instant) -> u32 {
        let count = self.fresh(now).filter(|last| last.writable).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    fn since_writable(&self, now: Instant) -> Option<Duration> {
        self.writable_at.map(|at| now.saturating_duration_since(at))
    }

    /// How long nobody has been writable; `None`: nobody tells, or nobody ever was.
    fn gap(&self, now: Instant) -> Option<Duration> {
        self.fresh(now).next()?;
        if self.writable_members(now) > 0 {
            Some(Duration::ZERO)
        } else {
            self.since_writable(now)
        }
    }

    pub(super) fn read(&self, now: Instant) -> Writes {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let gap = self.gap(now);
        Writes {
            gap_ms: gap.map(ms),
            quiet_ms: self
                .advanced_at
                .map(|at| ms(now.saturating_duration_since(at))),
            largest_gap_ms: ms(self.largest.max(gap.unwrap_or_default())),
            writable_members: self.writable_members(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use refit_shared::observation::Fact;

    fn beat(member: &str, state: MemberState, writable: bool, executed: u64) -> Beat {
        Beat {
            member: MemberName::new(member).unwrap(),
            at_unix_ms: 0,
            state: Fact::Known(state),
            writable,
            transactions_executed: executed,
            applier_queue: 0,
        }
    }

    #[test]
    fn a_gap_lasts_from_the_last_writable_beat_to_the_next() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut meter = WriteMeter::default();
        assert_eq!(meter.read(at(0)).gap_ms, None, "nobody has told yet");
        meter.hear(beat("m1", MemberState::Online, true, 1), at(0));
        meter.hear(beat("m2", MemberState::Online, false, 1), at(10));
        assert_eq!(meter.read(at(20)).gap_ms, Some(0));
        meter.hear(beat("m1", MemberState::Online, false, 2), at(50));
        assert_eq!(
            meter.read(at(60)).gap_ms,
            Some(60 - 10),
            "writable was known at 10 last"
        );
        let gap = meter.hear(beat("m2", MemberState::Online, true, 3), at(100));
        assert_eq!(gap, Some(Duration::from_millis(90)));
        let now = meter.read(at(100));
        assert_eq!((now.gap_ms, now.largest_gap_ms), (Some(0), 90));
        assert_eq!(now.writable_members, 1);
    }

    #[test]
    fn a_hand_over_between_two_beats_is_a_gap() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        // The former primary is too busy leaving to beat; it says that it is out, or nothing for long.
        for says_so in [true, false] {
            let mut meter = WriteMeter::default();
            meter.hear(beat("m1", MemberState::Online, true, 1), at(0));
            meter.hear(beat("m2", MemberState::Online, false, 1), at(10));
            meter.hear(beat("m2", MemberState::Online, true, 2), at(300));
            assert_eq!(
                meter.read(at(301)).largest_gap_ms,
                0,
                "m1 may be writable still"
            );
            if says_so {
                meter.hear(beat("m1", MemberState::Offline, false, 1), at(900));
            } else {
                meter.hear(beat("m2", MemberState::Online, true, 3), at(1_100));
            }
            assert_eq!(meter.read(at(1_100)).largest_gap_ms, 300);
        }
    }

    #[test]
    fn one_more_writer_is_no_hand_over() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut meter = WriteMeter::default();
        meter.hear(beat("m1", MemberState::Online, true, 1), at(0));
        meter.hear(beat("m2", MemberState::Online, false, 1), at(10));
        meter.hear(beat("m2", MemberState::Online, true, 1), at(300));
        meter.hear(beat("m1", MemberState::Online, true, 2), at(310));
        meter.hear(beat("m1", MemberState::Offline, false, 2), at(400));
        assert_eq!(meter.read(at(400)).largest_gap_ms, 0);
    }

    #[test]
    fn silence_is_not_known_and_not_a_gap() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut meter = WriteMeter::default();
        meter.hear(beat("m1", MemberState::Online, true, 1), at(0));
        let now = meter.read(at(5_000));
        assert_eq!((now.gap_ms, now.largest_gap_ms), (None, 0));
        meter.hear(beat("m1", MemberState::Online, true, 1), at(5_000));
        let now = meter.read(at(5_000));
        assert_eq!(
            (now.gap_ms, now.largest_gap_ms, now.quiet_ms),
            (Some(0), 0, Some(5_000))
        );
    }

    #[test]
    fn a_member_that_is_writable_but_not_online_takes_no_writes() {
        let start = Instant::now();
        let mut meter = WriteMeter::default();
        meter.hear(beat("m1", MemberState::Online, true, 1), start);
        meter.hear(
            beat("m1", MemberState::Recovering, true, 1),
            start + FRESH / 2,
        );
        assert_eq!(meter.read(start + FRESH / 2).gap_ms, Some(500));
    }

    #[test]
    fn outside_groups_a_server_that_is_writable_takes_writes() {
        let start = Instant::now();
        let mut meter = WriteMeter::with_largest(0, false);
        let alone = |writable| Beat {
            state: Fact::Unknown("Group Replication is not set up".to_owned()),
            ..beat("m1", MemberState::Offline, writable, 1)
        };
        meter.hear(alone(true), start);
        assert_eq!(meter.read(start).gap_ms, Some(0));
        meter.hear(alone(false), start + FRESH / 2);
        assert_eq!(meter.read(start + FRESH / 2).gap_ms, Some(500));
    }
}
