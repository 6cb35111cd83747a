//! The claims of a proof.

use countersign_dpop::Refusal::*;

use super::Table;
use crate::case::{Case, METHOD, NOW_SECS, ORIGINS, Rule, TOKEN, proof};

pub(super) fn rows(t: &mut Table) {
    // jti
    t.check("jti missing", proof().without("jti"), Err(JtiMissing));
    t.check("jti empty", proof().jti(""), Err(JtiMalformed));
    t.check("jti a number", proof().claim("jti", "7"), Err(JtiMalformed));
    t.check("jti null", proof().claim("jti", "null"), Err(JtiMalformed));
    t.check("jti of 128 bytes", proof().jti(&"j".repeat(128)), Ok(()));
    t.check(
        "jti of 129 bytes",
        proof().jti(&"j".repeat(129)),
        Err(JtiMalformed),
    );
    t.check(
        "jti of 65 characters in 130 bytes",
        proof().jti(&"é".repeat(65)),
        Err(JtiMalformed),
    );

    // iat
    t.check("iat missing", proof().without("iat"), Err(IatMissing));
    t.check(
        "iat a string",
        proof().claim("iat", format!("\"{NOW_SECS}\"")),
        Err(IatMalformed),
    );
    t.check("iat null", proof().claim("iat", "null"), Err(IatMalformed));
    t.check(
        "iat negative",
        proof().claim("iat", "-1"),
        Err(IatMalformed),
    );
    t.check(
        "iat negative with a fraction",
        proof().claim("iat", "-0.5"),
        Err(IatMalformed),
    );
    t.check(
        "iat 2^63",
        proof().claim("iat", "9223372036854775808"),
        Err(IatMalformed),
    );
    t.check(
        "iat 2^64",
        proof().claim("iat", "18446744073709551616"),
        Err(IatMalformed),
    );
    t.check(
        "iat 1e308",
        proof().claim("iat", "1e308"),
        Err(IatMalformed),
    );
    t.check("iat 1e400", proof().claim("iat", "1e400"), Err(NotJson));
    t.check(
        "iat with a fraction",
        proof().claim("iat", format!("{NOW_SECS}.999")),
        Ok(()),
    );
    t.check(
        "iat with an exponent",
        proof().claim("iat", format!("{}e2", NOW_SECS / 100)),
        Ok(()),
    );
    t.check("iat 10 s ahead", proof().iat(10), Ok(()));
    t.check("iat 11 s ahead", proof().iat(11), Err(InFuture));
    t.check("iat 61 s ahead", proof().iat(61), Err(InFuture));
    t.check(
        "iat 61 s ahead where 1 h is configured",
        proof().iat(61).limits(60, 3600),
        Err(InFuture),
    );
    t.check(
        "iat 60 s ahead where 1 h is configured",
        proof().iat(60).limits(60, 3600),
        Ok(()),
    );
    t.check(
        "iat 61 s ahead with nonces on",
        proof().iat(61).nonces(Rule::WhenOff),
        Err(InFuture),
    );
    t.check("iat 60 s ago", proof().iat(-60), Ok(()));
    t.check("iat one second too old", proof().iat(-61), Err(TooOld));
    t.check(
        "iat one second too old with nonces on",
        proof().iat(-61).nonces(Rule::WhenOff),
        Err(NonceNeeded),
    );
    t.check(
        "iat 11 s ahead with nonces on",
        proof().iat(11).nonces(Rule::WhenOff),
        Err(NonceNeeded),
    );
    t.check("iat 0", proof().claim("iat", "0"), Err(TooOld));
    t.check(
        "iat 5 min ago where that is configured",
        proof().iat(-300).limits(300, 10),
        Ok(()),
    );

    // htm
    t.check("htm missing", proof().without("htm"), Err(HtmMissing));
    t.check(
        "htm a list",
        proof().claim("htm", r#"["POST"]"#),
        Err(HtmMalformed),
    );
    t.check(
        "htm in lower case",
        proof().method("post"),
        Err(WrongMethod),
    );
    t.check(
        "htm of another method",
        proof().method("GET"),
        Err(WrongMethod),
    );
    t.check("htm empty", proof().method(""), Err(WrongMethod));
    t.check(
        "htm GET for a GET",
        proof().method("GET").called_with("GET", METHOD),
        Ok(()),
    );

    // htu that means the call
    t.check(
        "htu with scheme and host in upper case",
        htu("HTTPS://RS.EXAMPLE.COM", METHOD),
        Ok(()),
    );
    t.check(
        "htu with the default port",
        htu("https://rs.example.com:443", METHOD),
        Ok(()),
    );
    t.check(
        "htu with an empty port",
        htu("https://rs.example.com:", METHOD),
        Ok(()),
    );
    t.check(
        "htu with a query",
        htu(ORIGINS[0], &format!("{METHOD}?a=b")),
        Ok(()),
    );
    t.check(
        "htu with a fragment",
        htu(ORIGINS[0], &format!("{METHOD}#a")),
        Ok(()),
    );
    t.check(
        "htu with query and fragment",
        htu(ORIGINS[0], &format!("{METHOD}?a=%2F#b?c")),
        Ok(()),
    );
    t.check(
        "htu with %6d for m",
        htu("https://rs.exa%6dple.co%6d", METHOD),
        Ok(()),
    );
    t.check(
        "htu with %4F for O",
        htu(ORIGINS[0], "/orders.v1.%4Frders/Create"),
        Ok(()),
    );
    t.check(
        "htu with dot segments",
        htu(ORIGINS[0], "/x/../orders.v1.Orders/./Create"),
        Ok(()),
    );
    t.check(
        "htu with encoded dot segments",
        htu(ORIGINS[0], "/x/%2e%2E/orders.v1.Orders/Create"),
        Ok(()),
    );
    t.check("htu of the second origin", htu(ORIGINS[1], METHOD), Ok(()));
    t.check(
        "htu of the second origin, denormalised",
        htu("HTTPS://Inside.example:8443/x/../%72pc", METHOD),
        Ok(()),
    );

    // htu that does not
    t.check("htu missing", proof().without("htu"), Err(HtuMissing));
    t.check(
        "htu a list",
        proof().claim("htu", format!(r#"["{}{METHOD}"]"#, ORIGINS[0])),
        Err(HtuMalformed),
    );
    t.check("htu empty", proof().target(""), Err(HtuMalformed));
    t.check("htu relative", proof().target(METHOD), Err(HtuMalformed));
    t.check(
        "htu without a scheme",
        proof().target(&format!("//rs.example.com{METHOD}")),
        Err(HtuMalformed),
    );
    t.check(
        "htu with user info",
        htu("https://me:pw@rs.example.com", METHOD),
        Err(HtuMalformed),
    );
    t.check(
        "htu with an empty user",
        htu("https://@rs.example.com", METHOD),
        Err(HtuMalformed),
    );
    t.check(
        "htu with a space",
        htu(ORIGINS[0], &format!("{METHOD} ")),
        Err(HtuMalformed),
    );
    t.check(
        "htu with a backslash",
        proof().target(r"https:\\\\rs.example.com/"),
        Err(HtuMalformed),
    );
    t.check(
        "htu with half a percent-encoding",
        htu(ORIGINS[0], &format!("{METHOD}%2")),
        Err(HtuMalformed),
    );
    t.check(
        "htu with a port too many",
        htu("https://rs.example.com:443:443", METHOD),
        Err(HtuMalformed),
    );
    t.check(
        "htu with an international name",
        htu("https://rs.exämple.com", METHOD),
        Err(HtuMalformed),
    );
    t.check(
        "htu with a trailing slash",
        htu(ORIGINS[0], &format!("{METHOD}/")),
        Err(WrongTarget),
    );
    t.check(
        "htu with %2F",
        htu(ORIGINS[0], "/orders.v1.Orders%2FCreate"),
        Err(WrongTarget),
    );
    t.check(
        "htu with the path in another case",
        htu(ORIGINS[0], "/orders.v1.orders/create"),
        Err(WrongTarget),
    );
    t.check(
        "htu with http",
        htu("http://rs.example.com", METHOD),
        Err(WrongTarget),
    );
    t.check(
        "htu with http and port 443",
        htu("http://rs.example.com:443", METHOD),
        Err(WrongTarget),
    );
    t.check(
        "htu of another port",
        htu("https://rs.example.com:444", METHOD),
        Err(WrongTarget),
    );
    t.check(
        "htu of a sibling method",
        htu(ORIGINS[0], "/orders.v1.Orders/Delete"),
        Err(WrongTarget),
    );
    t.check(
        "htu of an internal authority",
        htu("https://127.0.0.1:50051", METHOD),
        Err(WrongTarget),
    );
    t.check(
        "htu of a longer host",
        htu("https://rs.example.com.evil.example", METHOD),
        Err(WrongTarget),
    );
    t.check(
        "htu of the host with a dot",
        htu("https://rs.example.com.", METHOD),
        Err(WrongTarget),
    );
    t.check(
        "htu of the origin alone",
        proof().target(ORIGINS[0]),
        Err(WrongTarget),
    );
    t.check(
        "htu without the origin's prefix",
        htu("https://inside.example:8443", METHOD),
        Err(WrongTarget),
    );
    t.check(
        "htu with a double slash",
        htu(ORIGINS[0], &format!("/{METHOD}")),
        Err(WrongTarget),
    );

    // The call's own path
    t.check(
        "a percent-encoded path",
        htu_and_path("/orders.v1.%4Frders/Create"),
        Err(PathNotPlain),
    );
    t.check(
        "an encoded slash in the path",
        htu_and_path("/orders.v1.Orders%2FCreate"),
        Err(PathNotPlain),
    );
    t.check(
        "a path with dot segments",
        htu_and_path("/x/../orders.v1.Orders/Create"),
        Err(PathNotPlain),
    );
    t.check(
        "a path with a query",
        htu_and_path("/orders.v1.Orders/Create?a=b"),
        Err(PathNotPlain),
    );
    t.check(
        "a path that is not absolute",
        htu_and_path("orders.v1.Orders/Create"),
        Err(PathNotPlain),
    );
    t.check("an empty path", htu_and_path(""), Err(PathNotPlain));

    // ath
    t.check(
        "ath of the token",
        proof().with_token(TOKEN).ath_of(TOKEN),
        Ok(()),
    );
    t.check("ath missing", proof().with_token(TOKEN), Err(AthMissing));
    t.check(
        "ath of another token",
        proof().with_token(TOKEN).ath_of("another"),
        Err(AthMismatch),
    );
    t.check(
        "ath over the scheme and the token",
        proof().with_token(TOKEN).ath_of(&format!("DPoP {TOKEN}")),
        Err(AthMismatch),
    );
    t.check(
        "ath padded",
        ath("\"fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo=\""),
        Err(AthMismatch),
    );
    t.check(
        "ath in hexadecimal",
        ath("\"7d41f23b6af66770d9e7712c36b5816f4c565e868dcb9f4888a080aa4b26404a\""),
        Err(AthMismatch),
    );
    t.check(
        "ath with a loose last character",
        ath("\"fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEp\""),
        Err(AthMismatch),
    );
    t.check("ath null", ath("null"), Err(AthMismatch));
    t.check(
        "ath a list",
        ath(r#"["fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"]"#),
        Err(AthMismatch),
    );
    t.check("ath at the token service", proof().ath_of(TOKEN), Ok(()));
    t.check(
        "an odd ath at the token service",
        proof().claim("ath", "7"),
        Ok(()),
    );
}

fn htu(origin: &str, path: &str) -> Case {
    proof().target(&format!("{origin}{path}"))
}

/// A proof for that very path, of a call to it.
fn htu_and_path(path: &str) -> Case {
    htu(ORIGINS[0], path).called_with("POST", path)
}

fn ath(json: &str) -> Case {
    proof().with_token(TOKEN).claim("ath", json)
}
