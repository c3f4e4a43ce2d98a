//! Which lab a scenario plays in. LAB_NAME lists the labs that may stand side by side (`test,test2`); each scenario has one of them for
//! itself until it ends, and waits while all are taken.

use std::cell::OnceCell;
use std::sync::{Condvar, Mutex, PoisonError};

/// Labs that nobody plays in; `None` until the first scenario asks.
static FREE: Mutex<Option<Vec<String>>> = Mutex::new(None);
static RISEN: Condvar = Condvar::new();

thread_local! {
    /// A scenario is one thread: its seat is free again when that ends, however it ends.
    static OWN: OnceCell<Seat> = const { OnceCell::new() };
}

struct Seat(String);

impl Drop for Seat {
    fn drop(&mut self) {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        free.get_or_insert_default().push(self.0.clone());
        RISEN.notify_one();
    }
}

/// The lab of this scenario.
pub fn name() -> String {
    OWN.with(|own| own.get_or_init(take).0.clone())
}

fn take() -> Seat {
    let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        match free.get_or_insert_with(all).pop() {
            Some(name) => return Seat(name),
            None => free = RISEN.wait(free).unwrap_or_else(PoisonError::into_inner),
        }
    }
}

fn all() -> Vec<String> {
    let names = std::env::var("LAB_NAME").unwrap_or_default();
    let names: Vec<String> = names
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    if names.is_empty() {
        vec!["test".to_owned()]
    } else {
        names
    }
}
