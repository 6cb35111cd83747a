//! When a count is no longer what it was.

use libtest_mimic::Trial;

/// Room for what a changed neighbour does to inlining; less than anybody adds without noticing.
const TOLERANCE_PERCENT: u64 = 5;

/// An operation's count, before and now.
///
/// A count that fell fails too: the old baseline would let as much be lost again unseen.
pub(crate) fn judge(was: Option<u64>, now: Option<u64>) -> Result<(), String> {
    let (was, now) = match (was, now) {
        (Some(was), Some(now)) => (was, now),
        (None, Some(now)) => {
            return Err(format!(
                "{now} instructions, and no baseline: write one with --write"
            ));
        }
        (Some(was), None) => {
            return Err(format!(
                "not counted any more (it had {was} instructions): write the baseline with --write"
            ));
        }
        (None, None) => return Ok(()),
    };
    let percent = (now as f64 / was as f64 - 1.0) * 100.0;
    let change = format!("{now} instructions, {percent:+.1} % against the baseline's {was}");
    if now * 100 > was * (100 + TOLERANCE_PERCENT) {
        Err(format!(
            "{change}: make it cheaper, or say why it is worth it and use --write"
        ))
    } else if now * 100 < was * (100 - TOLERANCE_PERCENT) {
        Err(format!(
            "{change}: a gain; keep it by lowering the baseline with --write"
        ))
    } else {
        Ok(())
    }
}

/// The rule, and the file it is applied to.
pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn() -> Result<(), String>| {
        Trial::test(name, move || run().map_err(Into::into))
    };
    vec![
        trial("rule::five_percent_either_way_pass", five_percent_pass),
        trial("rule::more_fails_and_says_by_how_much", more_fails),
        trial("rule::less_asks_for_a_lower_baseline", less_fails),
        trial("rule::one_side_alone_fails", one_side_fails),
        trial("rule::another_compiler_is_a_difference", another_compiler),
        trial("rule::signatures_are_found_in_a_profile", signatures_found),
        trial("rule::the_baseline_can_be_read", baseline_reads),
    ]
}

fn five_percent_pass() -> Result<(), String> {
    [95_000, 100_000, 105_000]
        .into_iter()
        .try_for_each(|now| judge(Some(100_000), Some(now)))
}

fn more_fails() -> Result<(), String> {
    says(
        judge(Some(100_000), Some(105_100)),
        "105100 instructions, +5.1 % against the baseline's 100000",
    )
}

fn less_fails() -> Result<(), String> {
    says(judge(Some(100_000), Some(94_000)), "lowering the baseline")
}

fn one_side_fails() -> Result<(), String> {
    says(judge(None, Some(7)), "no baseline")?;
    says(judge(Some(7), None), "not counted any more")
}

fn another_compiler() -> Result<(), String> {
    let baseline = crate::baseline::Baseline::read()?.conditions;
    let mut other = baseline.clone();
    other.rustc = "rustc 1.0.0".to_owned();
    match (baseline.difference(&baseline), other.difference(&baseline)) {
        (None, Some(difference)) => says(Err(difference), "rustc 1.0.0"),
        found => Err(format!("{found:?}")),
    }
}

fn signatures_found() -> Result<(), String> {
    let profile = "fn=aws_lc_0_1_0_EVP_DigestVerify\n7 11\n\nfn=verify\n20 3\n\
                   cfn=aws_lc_0_1_0_EVP_DigestVerifyInit\ncalls=1 5\n21 100\n\
                   cfn=aws_lc_0_1_0_EVP_DigestVerify\ncalls=1 9\n22 728000\n";
    match crate::counting::signatures(profile) {
        728_000 => Ok(()),
        found => Err(format!("found {found}")),
    }
}

fn baseline_reads() -> Result<(), String> {
    let counts = crate::baseline::Baseline::read()?.counts;
    if counts.is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(())
}

fn says(verdict: Result<(), String>, expected: &str) -> Result<(), String> {
    match verdict {
        Err(said) if said.contains(expected) => Ok(()),
        other => Err(format!("expected {expected:?}, got {other:?}")),
    }
}
