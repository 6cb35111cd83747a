use std::time::Duration;

use countersign_jose::UnixTime;

#[test]
fn arithmetic_saturates() {
    let at = UnixTime::from_millis;
    assert_eq!(UnixTime::from_secs(2), at(2000));
    assert_eq!(at(2999).as_secs(), 2);
    assert_eq!(at(2999).as_millis(), 2999);
    assert_eq!(at(5).plus(Duration::from_millis(7)), at(12));
    assert_eq!(at(5).minus(Duration::from_millis(7)), at(0));
    assert_eq!(at(12).since(at(5)), Duration::from_millis(7));
    assert_eq!(at(5).since(at(12)), Duration::ZERO);
    assert_eq!(UnixTime::from_secs(u64::MAX), at(u64::MAX));
    assert_eq!(at(5).plus(Duration::MAX), at(u64::MAX));
    assert_eq!(at(5).minus(Duration::MAX), at(0));
}
