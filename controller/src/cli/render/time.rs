//! Times as people say them.

/// `850 ms`, `12.3 s`, `2 m 05 s`, `1 h 02 m`.
pub fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms} ms"),
        1..60 => format!("{}.{} s", seconds, ms % 1000 / 100),
        60..3600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// An estimate: rounded, with its uncertainty in the word.
pub fn about(ms: u64) -> String {
    let seconds = ms.div_ceil(1000);
    match seconds {
        0..60 => format!("about {seconds} s"),
        60..3600 => format!("about {} m {:02} s", seconds / 60, seconds % 60),
        _ => format!("about {} h {:02} m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `2026-11-20 12:25:00 UTC`.
pub fn moment(unix_ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(unix_ms) {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => format!("{unix_ms} ms since 1970"),
    }
}

/// `12:25:00`, UTC.
pub fn clock(unix_ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(unix_ms) {
        Ok(at) => at.strftime("%H:%M:%S").to_string(),
        Err(_) => format!("{unix_ms} ms"),
    }
}

/// From one moment to another; 0 when clocks say that it went backwards.
pub fn between(from_unix_ms: i64, to_unix_ms: i64) -> u64 {
    u64::try_from(to_unix_ms.saturating_sub(from_unix_ms)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_well() {
        let said: Vec<String> = [0, 850, 1_000, 12_345, 60_000, 125_999, 3_720_000]
            .map(span)
            .to_vec();
        assert_eq!(
            said,
            [
                "0 ms", "850 ms", "1.0 s", "12.3 s", "1 m 00 s", "2 m 05 s", "1 h 02 m"
            ]
        );
        assert_eq!(about(1_200), "about 2 s");
        assert_eq!(about(95_000), "about 1 m 35 s");
        assert_eq!(moment(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(between(5, 3), 0);
    }
}
