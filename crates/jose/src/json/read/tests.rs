use super::*;

#[test]
fn empty_objects_cost_no_more_than_their_text() {
    let text = format!(r#"{{"a":[{}]}}"#, vec!["{}"; 1000].join(","));
    let Ok(Value::Object(Object(members))) = value(text.as_bytes()) else {
        panic!("it is an object");
    };
    let Value::List(list) = &members[0].1 else {
        panic!("it is a list");
    };
    for item in list {
        assert!(matches!(item, Value::Object(Object(members)) if members.capacity() == 0));
    }
}
