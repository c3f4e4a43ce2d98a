//! How many connections one peer may have open. Only peers with a certificate of ours get this far; without a bound, one that
//! went wrong would take all file descriptors, and everybody else would be locked out with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::identity::PeerInfo;

/// The seats of one port, counted by the peer's name.
#[derive(Debug, Clone)]
pub(super) struct Seats {
    each: usize,
    taken: Arc<Mutex<HashMap<String, usize>>>,
}

/// One open connection; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Seats,
    peer: String,
}

/// The peer has as many as it may have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full {
    pub peer: String,
}

impl Seats {
    pub(super) fn new(each: usize) -> Self {
        Self {
            each,
            taken: Arc::default(),
        }
    }

    /// Peers whose certificate names nobody share one count: no call of theirs is let through anyway.
    pub(super) fn take(&self, peer: &PeerInfo) -> Result<Seat, Full> {
        let peer = peer
            .certificate()
            .map_or_else(|_| "nobody".to_owned(), |c| c.identity.to_string());
        let mut taken = self.lock();
        let count = taken.entry(peer.clone()).or_default();
        if *count >= self.each {
            return Err(Full { peer });
        }
        *count += 1;
        drop(taken);
        Ok(Seat {
            seats: self.clone(),
            peer,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, usize>> {
        self.taken
            .lock()
            .expect("no code panics while it holds this lock")
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        if let Some(count) = taken.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.peer);
            }
        }
    }
}
