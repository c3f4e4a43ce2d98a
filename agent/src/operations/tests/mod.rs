//! Every operation from the three worlds (it never ran, half ran, fully ran), each asked twice, against simulated hosts.

mod answering;
mod closing;
mod died;
mod faults;
mod group;
mod log_rows;
mod rebuild;
mod rehearsal;
mod replication;
mod rig;
mod server;
mod system_tables;
mod worlds;
