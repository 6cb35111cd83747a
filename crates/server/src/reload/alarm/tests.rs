use std::path::PathBuf;

use super::Heard::{Fleeting, Known, News};
use super::*;

fn unusable(problem: &str) -> Finding {
    Finding::Unusable(TlsError {
        file: PathBuf::from("tls.key"),
        problem: problem.to_owned(),
    })
}

/// What is told of what was found, look after look.
#[track_caller]
fn check(found: &[Finding], told: &[Heard]) {
    let mut alarm = Alarm::default();
    let heard: Vec<_> = found
        .iter()
        .map(|finding| alarm.see(finding.clone()))
        .collect();
    assert_eq!(heard, told, "{found:?}");
}

#[test]
fn what_lasts_is_told_once_and_a_moment_is_not() {
    let soon = Finding::InUse(Standing::EndsSoon);
    let good = Finding::Good;
    let (bad, worse) = (unusable("does not fit"), unusable("is empty"));
    check(&[good.clone(), good.clone()], &[Known, Known]);
    // Files that were replaced one after the other.
    check(&[bad.clone(), good.clone()], &[Fleeting, Known]);
    check(
        &[bad.clone(), bad.clone(), bad.clone(), good.clone()],
        &[Fleeting, News, Known, News],
    );
    // Another reason is another state.
    check(
        &[bad.clone(), worse.clone(), worse, bad.clone()],
        &[Fleeting, News, Known, News],
    );
    check(&[soon.clone(), soon.clone(), good], &[News, Known, News]);
    // A moment in between is not news, nor is what was told before.
    check(
        &[soon.clone(), bad, soon.clone(), soon],
        &[News, Fleeting, Known, Known],
    );
}

#[test]
fn who_asks_is_told_at_once() {
    let mut alarm = Alarm::default();
    assert_eq!(alarm.believe(unusable("is empty")), News);
    assert_eq!(alarm.believe(unusable("is empty")), Known);
    assert_eq!(alarm.see(unusable("is empty")), Known);
    assert_eq!(alarm.see(Finding::Good), News);
}
