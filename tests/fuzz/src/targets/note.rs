//! `store` and `server`: the small files beside the database, which an operator may have touched.

use countersign_server::fuzz::set_back;
use countersign_store::embedded::fuzz::mark;

pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Some(commit) = mark(text) {
        let written = format!("countersign mark, commit {commit}\n");
        assert_eq!(mark(&written), Some(commit));
        assert!(mark(&written[..written.len() - 1]).is_none(), "cut off");
        assert!(set_back(text).is_none(), "a mark is no note");
    }
    if let Some((how, uid)) = set_back(text) {
        let written = format!("countersign store set back, {how} by uid:{uid}\n");
        assert_eq!(set_back(&written), Some((how, uid)));
        assert!(set_back(&written[..written.len() - 1]).is_none(), "cut off");
    }
}
