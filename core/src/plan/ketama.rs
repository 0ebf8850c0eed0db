//! The ring of nginx's `hash … consistent`, for migrations: the same keys stay on the same servers.
//!
//! A server `host:port` has 160 points per unit of weight. Each is the CRC-32 of the host, a zero byte, the port and the
//! previous point (0 at first, 4 little-endian bytes); a key belongs to the next point at or after its own CRC-32.

use super::ring::{self, Ring};

/// Points a unit of weight.
pub(crate) const POINTS: u32 = 160;

/// The ring of servers `(node, address, weight)` in declared order.
pub(crate) fn build<'a>(servers: impl Iterator<Item = (u16, &'a str, u32)>) -> Ring {
    let mut entries = Vec::new();
    for (node, address, weight) in servers {
        let (host, port) = split(address);
        let mut base = crc32fast::Hasher::new();
        base.update(host.as_bytes());
        base.update(&[0]);
        base.update(port.as_bytes());
        let mut point = 0u32;
        for _ in 0..u64::from(POINTS) * u64::from(weight) {
            let mut hasher = base.clone();
            hasher.update(&point.to_le_bytes());
            point = hasher.finalize();
            entries.push(u64::from(point) << 32 | u64::from(node));
        }
    }
    let mut ring = ring::index(entries);
    // Of servers that meet at one point the first keeps it.
    let before = ring.entries.len();
    ring.entries.dedup_by_key(|e| *e >> 32);
    if ring.entries.len() < before { ring::index(ring.entries) } else { ring }
}

/// The place of a key on this ring.
#[inline]
pub(crate) fn key_point(key: &[u8]) -> u64 {
    u64::from(crc32fast::hash(key)) << 32
}

/// Host and port as nginx takes them apart: a `unix:` path has no port, nor has a name without trailing `:digits`.
fn split(address: &str) -> (&str, &str) {
    if address.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("unix:")) {
        return (&address[5..], "");
    }
    match address.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, port),
        _ => (address, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        assert_eq!(split("10.0.0.1:80"), ("10.0.0.1", "80"));
        assert_eq!(split("example.com"), ("example.com", ""));
        assert_eq!(split("[::1]:8080"), ("[::1]", "8080"));
        assert_eq!(split("[::1]"), ("[::1]", ""));
        assert_eq!(split("unix:/run/a.sock:9"), ("/run/a.sock:9", ""));
    }

    #[test]
    fn points_follow_each_other() {
        let ring = build([(0, "10.0.0.1:80", 1), (1, "10.0.0.2:80", 2)].into_iter());
        assert_eq!(ring.entries.len(), 480);
        // crc32("10.0.0.1\0" "80" 00000000)
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(b"10.0.0.1\x0080\0\0\0\0");
        let first = u64::from(hasher.finalize()) << 32;
        assert!(ring.entries.contains(&first));
    }
}
