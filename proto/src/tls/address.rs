//! `host:port`, as the fleet file gives it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A host name or IP address with a port; IPv6 in brackets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    host: String,
    port: u16,
}

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad address {got:?}: {why} (expected host:port, as in db1.example.com:7130)")]
pub struct AddressError {
    pub got: String,
    pub why: &'static str,
}

impl Address {
    /// Without brackets, also for IPv6.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        let bad = |why| AddressError {
            got: text.to_owned(),
            why,
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(|| bad("no port"))?;
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let port: u16 = match port.parse() {
            Ok(port) if port > 0 && digits => port,
            _ => return Err(bad("the port must be a number from 1 to 65535")),
        };
        let host = match host.strip_prefix('[') {
            Some(v6) => {
                let v6 = v6.strip_suffix(']').ok_or_else(|| bad("no closing ]"))?;
                let ip: Ipv6Addr = v6.parse().map_err(|_| bad("not an IPv6 address"))?;
                ip.to_string()
            }
            None => {
                if host.is_empty() {
                    return Err(bad("no host"));
                }
                let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
                if !host.bytes().all(plain) {
                    return Err(bad("not a host name (IPv6 goes in brackets)"));
                }
                host.to_owned()
            }
        };
        Ok(Address { host, port })
    }
}

impl From<std::net::SocketAddr> for Address {
    fn from(address: std::net::SocketAddr) -> Address {
        let host = match address.ip() {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => v6.to_string(),
        };
        Address {
            host,
            port: address.port(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_prints() {
        for text in [
            "m1:7130",
            "10.77.0.21:1",
            "db-1.example.com:65535",
            "[::1]:7130",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        let odd = [
            "",
            "m1",
            "m1:",
            ":1",
            "m1:0",
            "m1:65536",
            "m1:+1",
            "::1:7130",
            "[::1:7130",
            "[m1]:1",
            "m1/x:1",
            "http://m1:1",
            "a b:1",
            "u@m1:1",
        ];
        for text in odd {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.to_string().contains("host:port"), "{error}");
        }
    }
}
