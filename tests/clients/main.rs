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
mod shown;
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
    let mut trials = libraries();
    trials.extend(shown::trials());
    trials
}

fn libraries() -> Vec<Trial> {
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
    ]
}

fn trial(
    part: &'static str,
    name: &str,
    run: impl FnOnce(&Path) -> Result<(), String> + Send + 'static,
) -> Trial {
    let part = match parts::find("curl") {
        Some(_) => part,
        None => "curl",
    };
    parts::needing(part, name, run)
}
