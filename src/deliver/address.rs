//! Which addresses a target may have.
//!
//! Invariant: an address that carries another one in it (IPv4-mapped, 6to4, NAT64) is what the inner one is. What is not
//! known to be public is not. Not here: names, which are resolved and judged in `guard`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// To the internet.
    Public,
    /// Into a network of one's own: only where the host is allowed by name.
    Private,
    /// To this machine: likewise.
    Loopback,
    /// Nowhere that a webhook could be meant for, whoever allows it: link-local, metadata of clouds, multicast,
    /// reserved.
    Never,
}

/// Services of clouds that give credentials to whoever asks from inside, where they are outside the link-local ranges.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

impl Reach {
    /// Where this address leads.
    pub(super) fn of(address: IpAddr) -> Self {
        if METADATA.contains(&address) {
            return Self::Never;
        }
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => match inner(address) {
                Some(inner) => Self::of(IpAddr::V4(inner)),
                None => of_v6(address),
            },
        }
    }
}

/// After IANA's registry of special-purpose addresses.
fn of_v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        [127, ..] => Reach::Loopback,
        [10, ..] | [192, 168, ..] | [172, 16..=31, ..] | [100, 64..=127, ..] => Reach::Private,
        [0, ..]
        | [169, 254, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18..=19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [224..=255, ..] => Reach::Never,
        _ => Reach::Public,
    }
}

fn of_v6(address: Ipv6Addr) -> Reach {
    if address.is_loopback() {
        return Reach::Loopback;
    }
    match address.segments() {
        [0xfc00..=0xfdff, ..] => Reach::Private,
        // Teredo, benchmarks, ORCHID: they lead into tunnels and laboratories. Examples: nowhere.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Reach::Never,
        [0x2000..=0x3fff, ..] => Reach::Public,
        _ => Reach::Never,
    }
}

/// The IPv4 address that an IPv6 address only wraps.
fn inner(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let from = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // Mapped, compatible, and translated by NAT64.
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => from(high, low),
        // 6to4.
        [0x2002, high, low, ..] => from(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(addresses: &[&str], reach: Reach) {
        for text in addresses {
            assert_eq!(Reach::of(text.parse().unwrap()), reach, "{text}");
        }
    }

    #[test]
    fn the_internet_is_public() {
        let v4 =
            ["8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "198.20.0.1"];
        all(&v4, Reach::Public);
        all(&["2606:4700::1111", "2a00:1450::1", "2001:4860::8888", "::ffff:8.8.8.8"], Reach::Public);
    }

    #[test]
    fn networks_of_ones_own_are_private_also_in_disguise() {
        all(&["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1"], Reach::Private);
        all(&["fc00::1", "fd12:3456::1"], Reach::Private);
        let disguised = ["::ffff:10.0.0.1", "::10.0.0.1", "64:ff9b::10.0.0.1", "2002:0a00:0001::1"];
        all(&disguised, Reach::Private);
    }

    #[test]
    fn this_machine_is_loopback_also_in_disguise() {
        all(&["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"], Reach::Loopback);
    }

    #[test]
    fn what_no_webhook_is_meant_for_is_never_reached() {
        all(&["169.254.169.254", "169.254.0.1", "::ffff:169.254.169.254", "fe80::1"], Reach::Never);
        all(&["100.100.100.200", "168.63.129.16", "fd00:ec2::254", "192.0.0.192"], Reach::Never);
        all(&["0.0.0.0", "0.1.2.3", "255.255.255.255", "224.0.0.1", "240.0.0.1", "192.0.2.1"], Reach::Never);
        all(&["198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1"], Reach::Never);
        all(&["::", "ff02::1", "fec0::1", "2001:db8::1", "2001::1", "64:ff9b:1::1", "100::1"], Reach::Never);
        all(&["3fff::1", "5f00::1", "4000::1"], Reach::Never);
    }

    proptest! {
        #[test]
        fn a_mapped_address_is_what_it_maps(bits: u32) {
            let plain = Ipv4Addr::from(bits);
            prop_assert_eq!(Reach::of(plain.to_ipv6_mapped().into()), Reach::of(plain.into()));
        }
    }
}
