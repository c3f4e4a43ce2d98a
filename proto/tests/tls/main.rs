//! Mutual TLS between real tonic servers and clients: who gets in, who does not, what each side is
//! told, and what happens when certificates change or end.

mod accepting;
mod bounds;
mod files;
mod openssl;
mod refusals;
mod reload;
mod revoked;
mod roles;
mod support;
