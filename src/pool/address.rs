//! Addresses that no backend added by API may have: those of the link, where cloud machines keep
//! their credentials for whoever asks. They are refused where they are written, in whatever
//! notation, and again when a name has been resolved.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Names under which clouds keep them.
const NAMES: [&str; 5] = [
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
];

/// Addresses of metadata services that are not of the link.
const V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];
const V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

/// A connection that was not opened, as its name leads there.
#[derive(Debug, thiserror::Error)]
#[error("its name leads to a link-local or metadata address")]
pub(super) struct Forbidden;

/// Whether the host of a URL is one of them, as far as that can be seen of it.
pub(super) fn is_forbidden_host(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = host.trim_end_matches('.');
    if NAMES.iter().any(|name| host.eq_ignore_ascii_case(name)) {
        return true;
    }
    // With a zone it is an address of a link.
    let v6 = host.split('%').next().unwrap_or(host).parse::<Ipv6Addr>();
    match (v6, v4(host)) {
        (Ok(v6), _) => is_forbidden(v6.into()),
        (_, Some(v4)) => is_forbidden(v4.into()),
        _ => false,
    }
}

/// Whether it is one of them.
pub(super) fn is_forbidden(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || V4.contains(&v4),
        IpAddr::V6(v6) => {
            let within = inner(v6).is_some_and(|v4| is_forbidden(v4.into()));
            within || v6.is_unicast_link_local() || V6.contains(&v6)
        }
    }
}

/// The IPv4 address that an IPv6 one leads to: mapped, compatible, NAT64 or 6to4.
fn inner(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = v6.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match s {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => Some(join(high, low)),
        [0, 0, 0, 0, 0xffff, 0, high, low] => Some(join(high, low)),
        [0x64, 0xff9b, .., high, low] => Some(join(high, low)),
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

/// As `inet_aton` reads it: one to four parts, each decimal, octal or hexadecimal, the last one
/// filling what is left.
fn v4(host: &str) -> Option<Ipv4Addr> {
    let number = |part: &str| {
        let (digits, radix) = match part.as_bytes() {
            [b'0', b'x' | b'X', ..] => (&part[2..], 16),
            [b'0', _, ..] => (&part[1..], 8),
            _ => (part, 10),
        };
        match digits {
            "" if radix == 16 => Some(0),
            digits => u64::from_str_radix(digits, radix).ok(),
        }
    };
    let parts: Vec<u64> = host.split('.').map(number).collect::<Option<_>>()?;
    let (last, front) = parts.split_last()?;
    if front.len() > 3 || front.iter().any(|part| *part > 255) {
        return None;
    }
    let room = 8 * (4 - front.len() as u32);
    if last >> room != 0 {
        return None;
    }
    let shifted = front
        .iter()
        .enumerate()
        .map(|(at, part)| part << (24 - 8 * at));
    u32::try_from(shifted.sum::<u64>() + last)
        .ok()
        .map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_notation() {
        for host in [
            "169.254.169.254",
            "169.254.0.1.",
            "2852039166",
            "0xa9fea9fe",
            "0XA9.0xfe.0xa9.0xfe",
            "0251.0376.0251.0376",
            "0251.254.43518",
            "169.16689662",
            "[fe80::1]",
            "[fe80::1%25eth0]",
            "[::ffff:169.254.169.254]",
            "[::ffff:a9fe:a9fe]",
            "[::a9fe:a9fe]",
            "[64:ff9b::169.254.169.254]",
            "[2002:a9fe:a9fe::1]",
            "[fd00:ec2::254]",
            "100.100.100.200",
            "168.63.129.16",
            "Metadata.Google.Internal.",
            "metadata",
        ] {
            assert!(is_forbidden_host(host), "{host}");
        }
    }

    #[test]
    fn backends_of_ones_own_are_fine() {
        for host in [
            "127.0.0.1",
            "localhost",
            "10.1.2.3",
            "192.168.0.7",
            "gpu-1",
            "gpu.internal",
            "[::1]",
            "[fd12::7]",
            "2130706433",
            "1.2.3.4.5",
            "999.1.1.1",
            "100.100.100.201",
            "8.8.8.8",
            "metadata.example.com",
        ] {
            assert!(!is_forbidden_host(host), "{host}");
        }
    }
}
