pub mod ports;
pub mod pki;
