//! OAuth clients and resource servers that know nothing of Countersign, as they are published,
//! against the running binary, over TLS: `interop/clients/`; and the programs and
//! commands that the pages of `docs/grants/` show.
//!
//! Each test needs what `tests/tools/install.sh` installs for it, and `curl`, which plays the
//! browser. Without it the test is reported as *ignored*, loudly; where `COUNTERSIGN_REQUIRE_PARTS`
//! is set it fails.

mod browser;
mod by_hand;
mod certificates;
mod desk;
mod dialogue;
mod javascript;
mod nimbus;
mod page;
mod person;
mod python;
mod samples;
mod spring;
mod stand;

use std::path::Path;

use countersign_testkit::parts;
use libtest_mimic::{Arguments, Trial};

fn main() {
    let arguments = Arguments::from_args();
    libtest_mimic::run(&arguments, trials()).exit();
}

fn trials() -> Vec<Trial> {
    vec![
        trial(
            "clients-javascript",
            "javascript::openid_client",
            javascript::openid_client,
        ),
        trial(
            "clients-javascript",
            "javascript::oauth4webapi",
            javascript::oauth4webapi,
        ),
        trial("clients-javascript", "javascript::jose", javascript::jose),
        trial(
            "clients-python",
            "python::requests_oauth2client",
            python::requests_oauth2client,
        ),
        trial("clients-nimbus", "nimbus::oauth2_sdk", nimbus::oauth2_sdk),
        trial(
            "clients-spring",
            "spring::resource_server",
            spring::resource_server,
        ),
        trial(
            "curl",
            "by_hand::client_credentials",
            by_hand::client_credentials,
        ),
        trial(
            "curl",
            "by_hand::authorization_code",
            by_hand::authorization_code,
        ),
        trial("grpcurl", "by_hand::device", by_hand::device),
        trial("curl", "by_hand::refresh_token", by_hand::refresh_token),
        Trial::test("samples::all_are_run", || {
            samples::all_are_run().map_err(Into::into)
        }),
        trial(
            "clients-python",
            "samples::client_credentials",
            samples::client_credentials,
        ),
        trial(
            "interop-python",
            "samples::authorization_code",
            samples::authorization_code,
        ),
        trial("clients-javascript", "samples::device", samples::device),
        trial(
            "clients-javascript",
            "samples::refresh_token",
            samples::refresh_token,
        ),
    ]
}

fn trial(part: &'static str, name: &str, run: fn(&Path) -> Result<(), String>) -> Trial {
    let part = match parts::find("curl") {
        Some(_) => part,
        None => "curl",
    };
    parts::needing(part, name, run)
}
