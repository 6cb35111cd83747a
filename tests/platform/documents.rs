//! Documents that are checked against the code.

use countersign::error::v1::Reason;

/// `docs/errors.md` has one row for each reason, and no others.
pub(crate) fn errors_md_lists_each_reason() -> Result<(), String> {
    let page = include_str!("../../docs/errors.md");
    let rows: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `REASON_"))
        .filter_map(|line| line.split('`').next())
        .collect();
    // The enumerators are numbered without a gap, 0 being the unspecified one.
    let reasons: Vec<&str> = (1..)
        .map_while(|number| Reason::try_from(number).ok())
        .map(|reason| reason.as_str_name().trim_start_matches("REASON_"))
        .collect();
    if reasons == rows {
        Ok(())
    } else {
        Err(format!("the contract has {reasons:?}, the page {rows:?}"))
    }
}
