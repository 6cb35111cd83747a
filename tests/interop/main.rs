//! Clients in other languages, written from `docs/grpc-dpop.md` with other people's libraries,
//! against the real token service and guarded services: `interop/` at the top of the tree.
//!
//! Each test needs what `tests/tools/install.sh` installs for its language. Without it the test is
//! reported as *ignored*, loudly; where `COUNTERSIGN_REQUIRE_PARTS` is set it fails.

#![expect(
    clippy::print_stdout,
    reason = "a test binary of its own: what it prints is its report"
)]

mod calls;
mod client;
#[path = "../platform/jaeger.rs"]
mod jaeger;
mod shop;
mod stock;
mod traced;
mod vectors;

use countersign_testkit::{parts, service};
use libtest_mimic::{Arguments, Trial};

fn main() {
    if let Some(order) = stock::Order::of_this_process() {
        return order.obey();
    }
    let arguments = Arguments::from_args();
    libtest_mimic::run(&arguments, trials()).exit();
}

fn trials() -> Vec<Trial> {
    vec![
        parts::needing("interop-go", "calls::from_go", calls::from_go),
        parts::needing("interop-python", "calls::from_python", calls::from_python),
        parts::needing(
            "interop-typescript",
            "calls::from_typescript",
            calls::from_typescript,
        ),
        parts::needing("interop-go", "vectors::in_go", vectors::in_go),
        parts::needing("interop-python", "vectors::in_python", vectors::in_python),
        parts::needing(
            "interop-typescript",
            "vectors::in_typescript",
            vectors::in_typescript,
        ),
        traced(),
    ]
}

/// The one that needs two parts.
fn traced() -> Trial {
    let part = match parts::find("jaeger") {
        Some(_) => "interop-python",
        None => "jaeger",
    };
    parts::needing(part, "traced::from_python", traced::from_python)
}
