//! Numbers as people read them, in few characters.

/// A duration in nanoseconds: `0.3ms`, `41ms`, `3.2s`, `5m10s`, `4h02m`, `3d04h`.
pub fn duration(ns: u64) -> String {
    let (ms, seconds) = (ns as f64 / 1e6, ns / 1_000_000_000);
    match seconds {
        0 if ms < 9.95 => format!("{ms:.1}ms"),
        0 => format!("{ms:.0}ms"),
        1..60 => format!("{:.1}s", (ns / 100_000_000) as f64 / 10.0),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86400, seconds / 3600 % 24),
    }
}

/// Milliseconds without their unit: `0.31`, `4.2`, `41`, `12.3k`.
pub fn milliseconds(ms: f64) -> String {
    match ms {
        _ if ms < 0.995 => format!("{ms:.2}"),
        _ if ms < 99.95 => format!("{ms:.1}"),
        _ => count(ms.round() as u64),
    }
}

/// A count: `9999`, `12.3k`, `4.5M`.
pub fn count(count: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1_000_000_000_000, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1000, "k")];
    if count < 10_000 {
        return count.to_string();
    }
    let (unit, name) = UNITS.into_iter().find(|(unit, _)| count >= *unit).unwrap_or((1, ""));
    let tenths = count / (unit / 10).max(1);
    if tenths < 1000 { format!("{}.{}{name}", tenths / 10, tenths % 10) } else { format!("{}{name}", tenths / 10) }
}

/// Something a second: `0`, `0.4`, `7.0`, `812`, `12.3k`.
pub fn rate(per_s: f64) -> String {
    match per_s {
        _ if per_s == 0.0 => "0".to_owned(),
        _ if per_s < 99.95 => format!("{per_s:.1}"),
        _ => count(per_s.round() as u64),
    }
}

/// A share as percents: `0%`, `0.4%`, `12%`; never 0 for what is not, nor 100 for what is less.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        _ if percent == 0.0 => "0%".to_owned(),
        _ if percent < 0.1 => "<0.1%".to_owned(),
        _ if percent < 9.95 => format!("{percent:.1}%"),
        _ if percent < 100.0 => format!("{}%", (percent.round() as u32).min(99)),
        _ => "100%".to_owned(),
    }
}

/// What is not known.
pub const UNKNOWN: &str = "-";

/// What `form` makes of a value, if there is one.
pub fn or_unknown<T>(value: Option<T>, form: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_figures_or_more() {
        let of_ms = [0, 9, 10, 999, 1000, 59_999, 60_000, 3_599_999, 3_600_000, 86_399_999, 86_400_000];
        let told = of_ms.map(|ms| duration(ms * 1_000_000));
        assert_eq!(
            told,
            ["0.0ms", "9.0ms", "10ms", "999ms", "1.0s", "59.9s", "1m00s", "59m59s", "1h00m", "23h59m", "1d00h"]
        );
        assert!(duration(u64::MAX).ends_with('h'));
    }

    #[test]
    fn counts_and_rates_fit_five_characters() {
        let counts = [0, 9999, 10_000, 99_949, 100_000, 999_999, 1_000_000, 123_456_789, 18_446_744_073_709_551_615];
        assert_eq!(counts.map(count), ["0", "9999", "10.0k", "99.9k", "100k", "999k", "1.0M", "123M", "18446744T"]);
        assert_eq!([0.0, 0.04, 0.4, 99.9, 99.99, 812.4].map(rate), ["0", "0.0", "0.4", "99.9", "100", "812"]);
        assert_eq!(
            [0.0, 0.312, 0.999, 99.9, 100.0, 12_345.6].map(milliseconds),
            ["0.00", "0.31", "1.0", "99.9", "100", "12.3k"]
        );
    }

    #[test]
    fn a_share_is_nothing_or_all_only_if_it_is() {
        let shares = [0.0, 0.000_01, 0.004, 0.0999, 0.5, 0.999, 1.0];
        assert_eq!(shares.map(percent), ["0%", "<0.1%", "0.4%", "10%", "50%", "99%", "100%"]);
    }
}
