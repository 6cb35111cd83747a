//! Where a request comes from, as far as that can be known.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::request::Parts;

/// What one subscriber has: an IPv4 address, or the /64 of an IPv6 address.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Address([u8; 8]);

/// Whether a proxy stands in front.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Proxies {
    /// None: the peer of the connection is the browser.
    #[default]
    None,
    /// One, which ends `X-Forwarded-For` with the address of its own peer. What stands before that
    /// the browser may have written itself.
    One,
}

impl Address {
    /// Of that address.
    pub fn of(address: IpAddr) -> Self {
        let mut part = [0; 8];
        match address.to_canonical() {
            IpAddr::V4(address) => part[4..].copy_from_slice(&address.octets()),
            IpAddr::V6(address) => part.copy_from_slice(&address.octets()[..8]),
        }
        Self(part)
    }

    /// For those who tell visitors apart.
    pub(crate) fn text(self) -> String {
        self.0.map(|byte| format!("{byte:02x}")).concat()
    }

    /// Of whoever is connected. All of whom nothing is known are one.
    pub fn of_peer(address: Option<IpAddr>) -> Self {
        address.map_or(Self([0; 8]), Self::of)
    }

    /// Of a request, among whose extensions is its peer. One whose origin is not known shares its
    /// pauses with all such.
    pub fn of_request(parts: &Parts, proxies: Proxies) -> Self {
        let peer = || {
            let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
            peer.map(|ConnectInfo(address)| address.ip())
        };
        let found = match proxies {
            Proxies::None => peer(),
            Proxies::One => forwarded(parts),
        };
        Self::of_peer(found)
    }
}

fn forwarded(parts: &Parts) -> Option<IpAddr> {
    let last = parts
        .headers
        .get_all("x-forwarded-for")
        .iter()
        .next_back()?;
    let last = last.to_str().ok()?.rsplit(',').next()?.trim();
    // Some proxies write the port along (RFC 7239 §6 has both forms).
    let with_port = || last.parse::<SocketAddr>().map(|it| it.ip());
    last.parse().or_else(|_| with_port()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(forwarded: &[&str]) -> Parts {
        let mut builder = http::Request::builder();
        for value in forwarded {
            builder = builder.header("X-Forwarded-For", *value);
        }
        let peer: SocketAddr = "192.0.2.7:1".parse().unwrap();
        builder
            .extension(ConnectInfo(peer))
            .body(())
            .unwrap()
            .into_parts()
            .0
    }

    fn of(text: &str) -> Address {
        Address::of(text.parse().unwrap())
    }

    #[test]
    fn nobody_chooses_where_he_comes_from() {
        let claims = request(&["203.0.113.1", "198.51.100.1, 203.0.113.2"]);
        assert_eq!(Address::of_request(&claims, Proxies::None), of("192.0.2.7"));
        assert_eq!(
            Address::of_request(&claims, Proxies::One),
            of("203.0.113.2")
        );
        let known = |value: &str| Address::of_request(&request(&[value]), Proxies::One);
        assert_eq!(known("203.0.113.1, 203.0.113.2:4711"), of("203.0.113.2"));
        assert_eq!(known("[2001:db8::1]:4711"), of("2001:db8::1"));
        // The proxy says nothing that can be read: all such are one.
        for unread in [&[][..], &["unknown"]] {
            let unknown = Address::of_request(&request(unread), Proxies::One);
            assert_eq!(unknown, Address([0; 8]));
        }
    }

    #[test]
    fn a_subscriber_has_a_prefix() {
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
