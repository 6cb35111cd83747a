//! How far a URL reaches: whether anybody on the way could read what is sent there.

use std::net::IpAddr;

/// Whether nobody on the way reads what is sent to a URL of this scheme and host: `https`, or `http`
/// that does not leave this machine. The host is as it stands in the URL, an IPv6 address in brackets.
pub fn is_confidential(scheme: &str, host: &str) -> bool {
    match scheme {
        "https" => true,
        "http" => is_this_machine(host),
        _ => false,
    }
}

/// Whether a host is this machine: a loopback address, or `localhost` (RFC 6761 §6.3). By its name
/// alone; no name is looked up.
pub fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => bare.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_stays_on_this_machine() {
        for host in [
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
            "::1",
            "localhost",
            "LocalHost",
        ] {
            assert!(is_confidential("http", host), "{host}");
        }
        for host in [
            "",
            "10.0.0.1",
            "0.0.0.0",
            "[::]",
            "[::ffff:10.0.0.1]",
            "localhost.example",
            "127.0.0.1.example",
            "alocalhost",
        ] {
            assert!(!is_confidential("http", host), "{host}");
            assert!(is_confidential("https", host), "{host}");
            assert!(!is_confidential("ftp", host), "{host}");
        }
        assert!(!is_confidential("ftp", "127.0.0.1"));
        assert!(!is_confidential("", "localhost"));
    }
}
