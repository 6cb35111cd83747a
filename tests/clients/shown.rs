//! What the pages of `docs/grants/` show to be copied, and the trial that does with it what whoever
//! copies it would.

use std::path::Path;

use countersign_testkit::Problem;
use libtest_mimic::Trial;

use crate::page::Copied::{self, ByHand, Program};
use crate::page::Page;
use crate::{by_hand, samples, trial};

/// Does it: with the tool that it needs, as the page of this name shows it.
type Try = fn(&Path, &str) -> Result<(), Problem>;

/// Every page, what is copied from it in its order, the tool, and the trial.
const SHOWN: &[(&str, Copied, &str, Try)] = &[
    (
        "authorization-code.md",
        ByHand,
        "curl",
        by_hand::authorization_code,
    ),
    (
        "authorization-code.md",
        Program("python"),
        "interop-python",
        samples::authorization_code,
    ),
    (
        "client-credentials.md",
        ByHand,
        "curl",
        by_hand::client_credentials,
    ),
    (
        "client-credentials.md",
        Program("python"),
        "clients-python",
        samples::client_credentials,
    ),
    ("device.md", ByHand, "grpcurl", by_hand::device),
    (
        "device.md",
        Program("js"),
        "clients-javascript",
        samples::device,
    ),
    ("refresh-token.md", ByHand, "curl", by_hand::refresh_token),
    (
        "refresh-token.md",
        Program("js"),
        "clients-javascript",
        samples::refresh_token,
    ),
];

/// A trial of each, and one of there being no more to try.
pub(crate) fn trials() -> Vec<Trial> {
    let each = SHOWN.iter().map(|&(page, copied, part, run)| {
        let manner = match copied {
            ByHand => "by_hand",
            Program(_) => "samples",
        };
        let grant = page.trim_end_matches(".md").replace('-', "_");
        trial(part, &format!("{manner}::{grant}"), move |tool| {
            run(tool, page).map_err(|error| error.to_string())
        })
    });
    let all = Trial::test("shown::all_is_tried", || {
        all_is_tried().map_err(|error| error.to_string().into())
    });
    each.chain([all]).collect()
}

/// No page shows what nobody tries.
fn all_is_tried() -> Result<(), Problem> {
    let mut shown = Vec::new();
    for name in Page::names()? {
        let copied = Page::read(&name, "")?.copied();
        let copied = copied.map_err(|error| format!("{name}: {error}"))?;
        shown.extend(copied.into_iter().map(|copied| (name.clone(), copied)));
    }
    let tried = SHOWN.iter();
    let tried: Vec<_> = tried
        .map(|&(page, copied, ..)| (page.to_owned(), copied))
        .collect();
    if shown == tried {
        return Ok(());
    }
    Err(format!("the pages show {shown:?}, and these are tried: {tried:?}").into())
}
