//! Whether an address can be reached from here, the way a server would.
//!
//! mysqld counts a connection that ends before its handshake is complete, be it closed at once or after the greeting: with
//! `max_connect_errors` (100) of them the host is blocked, and replicas on it with it. So a handshake is always completed, as an account that
//! does not exist: it is refused (1045), which counts as no such error.
//!
//! Source: MySQL manual, "DNS Lookups and the Host Cache", "The host_cache Table"; "Connection Phase" of the client/server protocol. What
//! SUM_CONNECT_ERRORS counts was tried on real servers.
//!
//! ```text
//! connect ── greeting ──> login as nobody ──> [another method: nothing to say] ──> refused: reached
//!    └ not within 2 s        └ 1129, 1130 instead of a greeting: this host may not connect
//! ```

use futures::future::join_all;
use refit_shared::survey::{Address, MOST_ADDRESSES, Speaks, Unreached};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Until somebody listens.
const CONNECT: Duration = Duration::from_secs(2);
/// Until the login is refused. Longer: a server may look up this host's name first, and to leave it then would be counted.
const LOGIN: Duration = Duration::from_secs(10);
/// No account has this name; logs of logins tell who it was.
const NOBODY: &str = "refit_reachability";
/// Answers to a login that are waited for; a method or two, then the refusal.
const ANSWERS: usize = 8;
/// A longer one is not mysqld's.
const LONGEST: usize = 16 << 10;
/// Of what others say, as much is passed on.
const SHOWN: usize = 200;

/// ER_HOST_IS_BLOCKED, ER_HOST_NOT_PRIVILEGED: nobody on this host can log in.
const TURNED_AWAY: [u16; 2] = [1129, 1130];

const PROTOCOL: u8 = 10;
const OK: u8 = 0x00;
const ERROR: u8 = 0xff;
const COM_QUIT: [u8; 5] = [1, 0, 0, 0, 1];
/// CLIENT_LONG_PASSWORD, CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION, CLIENT_PLUGIN_AUTH.
const CAPABILITIES: u32 = 0x1 | 0x200 | 0x8000 | 0x8_0000;
const UTF8MB4: u8 = 45;

/// All at once. Reached are those that are not told.
pub(super) async fn unreached(addresses: &[Address]) -> BTreeMap<Address, Unreached> {
    let (tried, beyond) = addresses.split_at(addresses.len().min(MOST_ADDRESSES));
    let all = tried.iter().map(|address| async {
        let why = attempt(address).await.err()?;
        Some((address.clone(), why))
    });
    let mut told: BTreeMap<_, _> = join_all(all).await.into_iter().flatten().collect();
    let untried = failed(format!("not tried: more than {MOST_ADDRESSES} addresses"));
    told.extend(
        beyond
            .iter()
            .map(|address| (address.clone(), untried.clone())),
    );
    told
}

fn failed(why: impl Into<String>) -> Unreached {
    Unreached {
        refused: false,
        why: why.into(),
    }
}

async fn attempt(address: &Address) -> Result<(), Unreached> {
    let connect = TcpStream::connect((address.host.as_str(), address.port));
    let stream = match timeout(CONNECT, connect).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            return Err(Unreached {
                refused: error.kind() == ErrorKind::ConnectionRefused,
                why: error.to_string(),
            });
        }
        Err(_) => return Err(late(CONNECT)),
    };
    match address.speaks {
        // A connection that says nothing is nothing to it.
        Speaks::Xcom => Ok(()),
        Speaks::Mysql => log_in(stream).await,
    }
}

fn late(limit: Duration) -> Unreached {
    failed(format!("no answer within {} s", limit.as_secs()))
}

/// Ok: mysqld has answered to a login.
pub async fn log_in(stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), Unreached> {
    match timeout(LOGIN, handshake(stream)).await {
        Ok(met) => met,
        Err(_) => Err(late(LOGIN)),
    }
}

async fn handshake(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), Unreached> {
    let lost = |error: io::Error| match error.kind() {
        ErrorKind::UnexpectedEof => failed("the connection was closed without an answer"),
        _ => failed(error.to_string()),
    };
    let other = || failed("what listens there is no mysqld");
    let (number, greeting) = packet(&mut stream).await.map_err(lost)?;
    match greeting.first() {
        Some(&PROTOCOL) => {}
        Some(&ERROR) => {
            let (code, text) = error(&greeting).ok_or_else(other)?;
            return match TURNED_AWAY.contains(&code) {
                true => Err(failed(format!("error {code}: {text}"))),
                // Too many connections, say: it is there.
                false => Ok(()),
            };
        }
        Some(_) | None => return Err(other()),
    }
    send(&mut stream, number, &login()).await.map_err(lost)?;
    for _ in 0..ANSWERS {
        let (number, answer) = packet(&mut stream).await.map_err(lost)?;
        match answer.first() {
            Some(&ERROR) => return Ok(()),
            // An anonymous account has let us in.
            Some(&OK) => return stream.write_all(&COM_QUIT).await.map_err(lost),
            // It wants another method, or more of this one: there is no password to prove.
            Some(_) => send(&mut stream, number, &[]).await.map_err(lost)?,
            None => return Err(other()),
        }
    }
    Err(other())
}

/// HandshakeResponse41, without a password.
fn login() -> Vec<u8> {
    let mut login = CAPABILITIES.to_le_bytes().to_vec();
    login.extend((1_u32 << 24).to_le_bytes());
    login.push(UTF8MB4);
    login.extend([0; 23]);
    login.extend(NOBODY.as_bytes());
    // The end of the name, and a password of no bytes.
    login.extend([0, 0]);
    login.extend(b"caching_sha2_password\0");
    login
}

/// Its number and content.
async fn packet(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let [a, b, c, number] = head;
    let length = u32::from_le_bytes([a, b, c, 0]) as usize;
    if length > LONGEST {
        return Err(io::Error::other("what listens there is no mysqld"));
    }
    let mut content = vec![0; length];
    stream.read_exact(&mut content).await?;
    Ok((number, content))
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), after: u8, content: &[u8]) -> io::Result<()> {
    let [a, b, c, _] = u32::try_from(content.len())
        .map_err(io::Error::other)?
        .to_le_bytes();
    let mut packet = vec![a, b, c, after.wrapping_add(1)];
    packet.extend(content);
    stream.write_all(&packet).await
}

/// Code and message of an error packet. Before the login it has no SQLSTATE.
fn error(packet: &[u8]) -> Option<(u16, String)> {
    let [_, a, b, text @ ..] = packet else {
        return None;
    };
    let text = String::from_utf8_lossy(text);
    let plain = text.chars().map(|c| match c.is_control() {
        true => ' ',
        false => c,
    });
    Some((u16::from_le_bytes([*a, *b]), plain.take(SHOWN).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{DuplexStream, duplex};
    use tokio::net::TcpListener;

    fn framed(number: u8, content: &[u8]) -> Vec<u8> {
        let mut packet = vec![u8::try_from(content.len()).unwrap(), 0, 0, number];
        packet.extend(content);
        packet
    }

    fn refusal(code: u16, text: &str) -> Vec<u8> {
        let mut content = vec![ERROR];
        content.extend(code.to_le_bytes());
        content.extend(text.as_bytes());
        content
    }

    const GREETING: &[u8] = b"\x0a9.7.4\0\x01\0\0\0abcdefgh\0";

    /// A server that says these, one after each packet that it is sent, and tells what it was sent until the other end went.
    async fn server(mut stream: DuplexStream, says: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let mut heard = Vec::new();
        for (i, content) in says.iter().enumerate() {
            let number = u8::try_from(2 * i).unwrap();
            stream.write_all(&framed(number, content)).await.unwrap();
            match packet(&mut stream).await {
                Ok((_, content)) => heard.push(content),
                Err(_) => return heard,
            }
        }
        heard
    }

    async fn met(says: Vec<Vec<u8>>) -> (Result<(), Unreached>, Vec<Vec<u8>>) {
        let (ours, theirs) = duplex(1 << 16);
        tokio::join!(log_in(ours), server(theirs, says))
    }

    /// mysqld counts a handshake that is left before its end: it is never left before the server's last word.
    #[tokio::test]
    async fn the_handshake_is_completed_as_nobody() {
        let denied = refusal(1045, "#28000Access denied for user 'refit_reachability'");
        let switch = b"\xfemysql_native_password\0abcdefghijklmnopqrst\0".to_vec();
        for between in [vec![], vec![switch.clone()], vec![switch, vec![1, 4]]] {
            let rounds = between.len();
            let mut says = vec![GREETING.to_vec()];
            says.extend(between);
            says.push(denied.clone());
            let (met, heard) = met(says).await;
            assert_eq!(met, Ok(()), "{rounds}");
            assert_eq!(heard.len(), 1 + rounds, "an answer to all but the refusal");
            let name = b"refit_reachability\0\0caching_sha2_password\0";
            assert!(heard[0].ends_with(name), "{:?}", heard[0]);
            assert!(heard[1..].iter().all(Vec::is_empty), "no password is told");
        }
        // Who is let in takes leave.
        let (met, heard) = met(vec![GREETING.to_vec(), vec![OK, 0, 0]]).await;
        assert_eq!((met, heard.len()), (Ok(()), 2));
        assert_eq!(heard[1], COM_QUIT[4..]);
    }

    #[tokio::test]
    async fn a_host_that_is_turned_away_does_not_reach_it() {
        let blocked = "Host '10.0.0.7' is blocked\nbecause of many connection errors";
        let (reached, _) = met(vec![refusal(1129, blocked)]).await;
        let told = "error 1129: Host '10.0.0.7' is blocked because of many connection errors";
        assert_eq!(reached.unwrap_err().why, told);
        let (reached, _) = met(vec![refusal(1130, "Host 'db3' is not allowed")]).await;
        assert!(reached.unwrap_err().why.contains("1130"));
        let (reached, _) = met(vec![refusal(1040, "Too many connections")]).await;
        assert_eq!(reached, Ok(()), "it is there");
    }

    #[tokio::test]
    async fn what_is_no_mysqld_is_told() {
        for says in [
            b"SSH-2.0-OpenSSH_9.2 and more\r\n".to_vec(),
            vec![3, 0, 0, 0, 9, 9, 9],
        ] {
            let (ours, mut theirs) = duplex(1 << 16);
            theirs.write_all(&says).await.unwrap();
            let why = log_in(ours).await.unwrap_err().why;
            assert_eq!(why, "what listens there is no mysqld", "{says:?}");
        }
        let (ours, theirs) = duplex(1 << 16);
        drop(theirs);
        let why = log_in(ours).await.unwrap_err().why;
        assert_eq!(why, "the connection was closed without an answer");
    }

    #[tokio::test(start_paused = true)]
    async fn who_listens_and_says_nothing_is_given_up() {
        let (ours, _theirs) = duplex(1 << 16);
        let met = timeout(LOGIN * 2, log_in(ours)).await;
        let why = met.expect("it is given up").unwrap_err().why;
        assert_eq!(why, "no answer within 10 s");
    }

    #[tokio::test]
    async fn only_what_is_not_reached_is_told_with_the_reason() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ports = [&listener, &gone].map(|l| l.local_addr().unwrap().port());
        drop(gone);
        let address = |host: &str, port, speaks| Address {
            host: host.to_owned(),
            port,
            speaks,
        };
        let there = address("127.0.0.1", ports[0], Speaks::Xcom);
        let closed = address("127.0.0.1", ports[1], Speaks::Mysql);
        let nameless = address("no-such-host.invalid", 3306, Speaks::Mysql);
        let told = unreached(&[there, closed.clone(), nameless.clone()]).await;
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[&closed].refused, "{told:?}");
        assert!(!told[&nameless].refused, "{told:?}");

        // The listener hears all of 127.0.0.0/8.
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let many: Vec<Address> = (1..=70)
            .map(|i| address(&format!("127.0.0.{i}"), port, Speaks::Xcom))
            .collect();
        let told = unreached(&many).await;
        assert_eq!(told.len(), 70 - MOST_ADDRESSES, "{told:?}");
        assert!(told.values().all(|one| one.why.starts_with("not tried")));
    }
}
