//! The registry of all points. Each stands at exactly one place in the code, which a test holds.

/// A point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    pub name: &'static str,
    /// Of which program.
    pub program: &'static str,
    /// What can be made to happen there.
    pub actions: &'static [&'static str],
    /// What has been done when it is met, and what has not.
    pub what: &'static str,
}

const STOPS: &[&str] = &["crash", "error", "delay"];
const WAITS: &[&str] = &["crash", "delay"];
const LOOKS: &[&str] = &["error", "delay"];
const WRITES: &[&str] = &["crash", "error", "delay", "drop"];
const RECEIVES: &[&str] = &["crash", "error", "delay", "duplicate"];
const CALLS: &[&str] = &["crash", "error", "delay", "drop", "duplicate"];

const fn controller(
    name: &'static str,
    actions: &'static [&'static str],
    what: &'static str,
) -> Point {
    Point {
        name,
        program: "controller",
        actions,
        what,
    }
}

const fn agent(name: &'static str, actions: &'static [&'static str], what: &'static str) -> Point {
    Point {
        name,
        program: "agent",
        actions,
        what,
    }
}

/// In the order of their effects.
#[rustfmt::skip]
pub const POINTS: &[Point] = &[
    controller("journal.append/before", WRITES, "Entries are staged; nothing of them is in the store. Dropped, they are acknowledged all the same, as by a disk that lies."),
    controller("journal.append/applied", STOPS, "Entries are in the store's memory; nothing is flushed."),
    controller("journal.append/flushed", STOPS, "Entries are durable; the mark that says how far the journal goes is not moved yet."),
    controller("journal.append/after", STOPS, "Entries are durable and marked; nobody has been told."),
    controller("call/before", CALLS, "An order is to be sent to an agent. Dropped, it is not, and the agent counts as unreachable; twice, a copy comes behind it."),
    controller("call/reply", WRITES, "An agent's receipt is there; its rollout has not been told. Dropped, it is lost on the way."),
    controller("look/before", LOOKS, "A member is to be observed; nothing has been asked."),
    agent("order/received", RECEIVES, "An order is there; the worker has not got it. Twice, it gets it twice."),
    agent("order/reply", WRITES, "A receipt is durable; its caller has not got it. Dropped, the call ends without."),
    agent("work/begun", WAITS, "That an order's work begins is durable; nothing of it has been done."),
    agent("work/done", WAITS, "An order's work has ended; how it ended is not recorded."),
    agent("ledger.write/before", WRITES, "A record is to be written; nothing of it is on disk. Dropped, it counts as written."),
    agent("ledger.write/half", STOPS, "A record is written beside its place and durable; it has not taken its name."),
    agent("ledger.write/after", STOPS, "A record is durable; nobody has been told."),
    agent("ledger.remove/before", WRITES, "A record is to be removed, and is there. Dropped, it counts as removed."),
    agent("ledger.remove/after", STOPS, "A record is gone; nobody has been told."),
    agent("maintenance.enter/half", STOPS, "The unit's drop-in is written, mysqld's is not."),
    agent("maintenance.leave/half", STOPS, "mysqld's drop-in is gone; the hold and the unit's drop-in are there."),
    agent("hold.set/before", WRITES, "mysqld is to be held down or let go; the hold is as it was. Dropped, it stays so."),
    agent("hold.set/after", STOPS, "The hold is written; nobody has been told."),
    agent("snapshot.take/half", STOPS, "All files of a snapshot are there; its manifest is not, so it does not count."),
    agent("snapshot.restore/half", STOPS, "The present data is set aside; the snapshot's has not taken its place."),
    agent("config.write/half", STOPS, "An option file's new bytes are beside it and durable; it has its old ones."),
    agent("config.restore/half", STOPS, "One more option file has been put back; others may follow."),
    agent("packages.swap/before", STOPS, "The server's maintainer scripts are frozen; dpkg has not been started."),
    agent("packages.swap/half", STOPS, "dpkg has ended; the packages are not verified, not held, and still frozen."),
    agent("rehearsal.clone/half", STOPS, "The clone of a rehearsal is there; nothing has been started on it."),
];
